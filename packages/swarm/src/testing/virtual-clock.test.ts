import { describe, expect, it } from 'vitest';
import { seededRandom } from './seeded-random.ts';
import { VirtualClock } from './virtual-clock.ts';

it('stands still until it is moved', () => {
  const clock = new VirtualClock(5000);
  expect([clock.nowMs(), clock.wallMs()]).toEqual([0, 5000]);
  clock.advance(10.5);
  expect([clock.nowMs(), clock.wallMs()]).toEqual([10.5, 5010.5]);
});

it('jumps on the wall without touching durations or running anything', () => {
  const clock = new VirtualClock(5000);
  let ran = false;
  clock.schedule(10, () => (ran = true));
  clock.jumpWall(-86_400_000);
  expect([clock.nowMs(), clock.wallMs(), ran]).toEqual([0, 5000 - 86_400_000, false]);
});

describe('what was scheduled', () => {
  it('runs in order of time, and in order of scheduling where times are equal', () => {
    const { clock, log, note } = recording();
    clock.schedule(20, note('c'));
    clock.schedule(10, note('a'));
    clock.schedule(20, note('d'));
    clock.scheduleAt(10, note('b'));
    clock.advance(20);
    expect(log).toEqual(['a@10', 'b@10', 'c@20', 'd@20']);
  });

  it('runs in the same order where it cannot be cancelled', () => {
    const { clock, log, note } = recording();
    clock.post(20, { run: note('b') });
    clock.schedule(20, note('c'));
    clock.post(-1, { run: note('a') });
    clock.post(20, { run: note('d') });
    clock.advance(20);
    expect(log).toEqual(['a@0', 'b@20', 'c@20', 'd@20']);
  });

  it('runs when its time is reached and not before', () => {
    const { clock, log, note } = recording();
    clock.schedule(10, note('a'));
    clock.advance(9.999);
    expect(log).toEqual([]);
    clock.advanceTo(10);
    expect(log).toEqual(['a@10']);
  });

  it('may schedule more, which runs in the same move when it falls due', () => {
    const { clock, log, note } = recording();
    clock.schedule(10, () => {
      clock.schedule(0, note('now'));
      clock.schedule(-5, note('past'));
      clock.schedule(5, note('soon'));
      clock.schedule(50, note('later'));
    });
    clock.advance(20);
    expect(log).toEqual(['now@10', 'past@10', 'soon@15']);
    expect([clock.nowMs(), clock.pending, clock.nextAtMs]).toEqual([20, 1, 60]);
  });

  it('does not run once it is cancelled, and cancelling late does no harm', () => {
    const { clock, log, note } = recording();
    const cancel = clock.schedule(10, note('a'));
    const late = clock.schedule(5, note('b'));
    cancel();
    cancel();
    expect([clock.pending, clock.nextAtMs]).toEqual([1, 5]);
    clock.advance(20);
    late();
    expect(log).toEqual(['b@5']);
    expect([clock.pending, clock.nextAtMs]).toEqual([0, undefined]);
  });

  it('runs one by one by steps', () => {
    const { clock, log, note } = recording();
    clock.schedule(10, note('a'));
    clock.schedule(30, note('b'));
    expect([clock.step(), clock.nowMs(), clock.step(), clock.step(), clock.nowMs()]).toEqual([
      true,
      10,
      true,
      false,
      30,
    ]);
    expect(log).toEqual(['a@10', 'b@30']);
  });

  it('stays runnable after one of it threw', () => {
    const { clock, log, note } = recording();
    clock.schedule(1, () => {
      throw new Error('broken');
    });
    clock.schedule(2, note('a'));
    expect(() => clock.advance(5)).toThrow('broken');
    clock.advance(5);
    expect(log).toEqual(['a@2']);
  });
});

it('never goes back', () => {
  const clock = new VirtualClock();
  clock.advance(10);
  clock.advanceTo(5);
  clock.advance(-5);
  expect(clock.nowMs()).toBe(10);
  expect(() => clock.schedule(Number.NaN, () => undefined)).toThrow(RangeError);
});

it('lets promises settle between events, so that what awaits schedules in time', async () => {
  const { clock, log, note } = recording();
  const later = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    clock.schedule(5, note('from a promise'));
  };
  void later();
  clock.schedule(3, () => void later());
  clock.schedule(10, note('last'));
  await clock.advanceAsync(10);
  expect(log).toEqual(['from a promise@5', 'from a promise@8', 'last@10']);
  expect(clock.nowMs()).toBe(10);
});

it('orders 50,000 random events as a sort would, a third of them cancelled', () => {
  const seed = 2026;
  const random = seededRandom(seed);
  const clock = new VirtualClock();
  const ran: [atMs: number, order: number][] = [];
  const expected: [atMs: number, order: number][] = [];
  const cancels: (() => void)[] = [];
  for (let order = 0; order < 50_000; order++) {
    const atMs = Math.floor(random.next() * 1000);
    const cancel = clock.schedule(atMs, () => ran.push([atMs, order]));
    if (random.next() < 1 / 3) cancels.push(cancel);
    else expected.push([atMs, order]);
  }
  for (const cancel of cancels) cancel();
  expect(clock.pending).toBe(expected.length);
  clock.advance(1000);
  expected.sort(([a, i], [b, j]) => a - b || i - j);
  expect(ran.join(' '), `seed ${seed}`).toBe(expected.join(' '));
});

function recording() {
  const clock = new VirtualClock();
  const log: string[] = [];
  return { clock, log, note: (name: string) => () => void log.push(`${name}@${clock.nowMs()}`) };
}
