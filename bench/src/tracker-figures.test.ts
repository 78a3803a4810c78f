import { describe, expect, it } from 'vitest';
import type { JoinReport } from './tracker-bench.ts';
import { middleOf, pairedRatio } from './tracker-figures.ts';

const taking = (...cpuMsPerJoin: number[]): JoinReport[] =>
  cpuMsPerJoin.map((ms) => ({
    cpuMsPerJoin: ms,
    systemMsPerJoin: null,
    kbPerPeer: null,
    joinsPerS: 0,
    announceMs: { p50: 0, p99: 0 },
    relayed: 0,
    joins: 0,
    failed: 0,
  }));

describe('joins of two subjects in turn', () => {
  it('are compared round by round', () => {
    // The middles alone would come to 0.4 / 0.6.
    expect(pairedRatio(taking(0.3, 0.5, 0.4), taking(0.6, 0.5, 1))).toBe(0.5);
  });

  it('are told of by the run in the middle', () => {
    expect(middleOf(taking(0.3, 0.5, 0.4)).cpuMsPerJoin).toBe(0.4);
    expect(() => middleOf([])).toThrow('nothing was measured');
  });
});
