import { expect, it } from 'vitest';
import { stepByStep, type StepOutcome } from './step-by-step.ts';

it('takes the next step when every promise has settled that can', async () => {
  const log: string[] = [];
  const awaits = async (name: string) => {
    for (let i = 0; i < 50; i++) await undefined;
    log.push(name);
  };
  const steps: (() => StepOutcome)[] = [
    () => {
      void awaits('settled');
      return 'stirred';
    },
    () => {
      log.push('next');
      return 'over';
    },
  ];
  await stepByStep(() => steps.shift()?.() ?? 'over');
  expect(log).toEqual(['settled', 'next']);
});

it.each<StepOutcome>(['stirred', 'quiet'])(
  'hears of the process’s own events between %s steps',
  async (outcome) => {
    let isTold = false;
    setImmediate(() => (isTold = true));
    let steps = 0;
    await stepByStep(() => (isTold || ++steps > 1e6 ? 'over' : outcome));
    expect(isTold).toBe(true);
  },
);

it('rejects with what a step throws, at once or later', async () => {
  const broken = () => {
    throw new Error('broken');
  };
  await expect(stepByStep(broken)).rejects.toThrow('broken');
  const steps = [(): StepOutcome => 'stirred', broken];
  await expect(stepByStep(() => steps.shift()?.() ?? 'over')).rejects.toThrow('broken');
});
