import { describe, expect, it } from 'vitest';
import { youngGenerationFlag } from './young-generation.ts';

describe('the young generation of a simulation', () => {
  it('is larger for 300 listeners and more', () => {
    expect(youngGenerationFlag(299, [])).toBeUndefined();
    expect(youngGenerationFlag(300, [])).toBe('--max-semi-space-size=64');
    expect(youngGenerationFlag(1_000, ['--cpu-prof'])).toBe('--max-semi-space-size=64');
  });

  it.each([
    ['--max-semi-space-size=16'],
    ['--min-semi-space-size=4'],
    ['--cpu-prof --max-semi-space-size=32'],
  ])('is left as whoever started the process chose: %s', (flags) => {
    expect(youngGenerationFlag(1_000, [flags])).toBeUndefined();
  });
});
