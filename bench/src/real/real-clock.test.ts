import { expect, it } from 'vitest';
import { machineMs, RealClock } from './real-clock.ts';

it('runs what is due in order, each at its own time, however late the process is', async () => {
  const clock = new RealClock(machineMs());
  const ran: [string, number][] = [];
  const done = new Promise<void>((resolve) => {
    clock.schedule(30, () => ran.push(['third', clock.nowMs()]));
    clock.schedule(10, () => {
      ran.push(['first', clock.nowMs()]);
      clock.schedule(10, () => ran.push(['second', clock.nowMs()]));
    });
    clock.schedule(40, resolve);
  });
  // The process is busy past all of it.
  const until = performance.now() + 60;
  while (performance.now() < until);
  await done;
  expect(ran.map(([name]) => name)).toEqual(['first', 'second', 'third']);
  const [first = 0, second = 0] = ran.map(([, atMs]) => atMs);
  expect(second - first).toBeCloseTo(10, 3);
});

it('takes back what was scheduled', async () => {
  const clock = new RealClock(machineMs());
  let ran = false;
  clock.schedule(1, () => (ran = true))();
  await clock.pause(20);
  expect(ran).toBe(false);
});
