import { LIMITS, type PeerFrame } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import {
  CONTROL_FRAMES_AT_ONCE as AT_ONCE,
  CONTROL_FRAMES_OF_PING,
  CONTROL_FRAMES_PER_SECOND as PER_SECOND,
  ControlRate,
} from './control-rate.ts';

const SHUT: PeerFrame = { type: 'shut', handle: 1 };
const PING: PeerFrame = { type: 'ping', token: 1 };
const BLOCK: PeerFrame = { type: 'block', handle: 1, chunk: 0, block: 0, bytes: new Uint8Array(1) };

/** Blocks a second of a link that carries 60 MB/s. */
const BUSY = 60_000_000 / LIMITS.blockBytes;

/** How many of so many frames that come at one time a link may bring. */
function taken(rate: ControlRate, count: number, nowMs: number, frame = SHUT): number {
  let most = 0;
  while (most < count && rate.takes(frame, nowMs)) most++;
  return most;
}

describe('the control frames a link may bring', () => {
  it('are so many at once, and not one more', () => {
    expect(taken(new ControlRate(0), AT_ONCE + 1, 0)).toBe(AT_ONCE);
  });

  it('are so many a second for ever', () => {
    const rate = new ControlRate(0);
    for (let second = 0; second < 30; second++)
      expect(taken(rate, PER_SECOND, second * 1000)).toBe(PER_SECOND);
    expect(taken(rate, 2 * AT_ONCE, 30_000)).toBe(AT_ONCE);
  });

  it('are too many beyond that, though never all at once', () => {
    const rate = new ControlRate(0);
    const perMs = Math.ceil(PER_SECOND / 1000) + 1;
    let ms = 0;
    while (ms < 600_000 && taken(rate, perMs, ms) === perMs) ms++;
    expect(ms).toBeLessThan(600_000);
  });

  it('are no more after an hour of silence', () => {
    const rate = new ControlRate(0);
    taken(rate, AT_ONCE, 0);
    expect(taken(rate, 2 * AT_ONCE, 3_600_000)).toBe(AT_ONCE);
  });

  it('count blocks for nothing, and a ping for what its answer costs', () => {
    const rate = new ControlRate(0);
    expect(taken(rate, 100_000, 0, BLOCK)).toBe(100_000);
    expect(taken(rate, AT_ONCE, 0, PING)).toBe(AT_ONCE / CONTROL_FRAMES_OF_PING);
  });
});

describe('an honest link', () => {
  it('of 60 MB/s may ask for each block by itself and take half of them back, nudging all the while', () => {
    const rate = new ControlRate(0);
    for (let tick = 0; tick < 6_000; tick++) {
      const nowMs = tick * 10;
      expect(taken(rate, Math.ceil((BUSY * 1.5) / 100), nowMs)).toBeGreaterThanOrEqual((BUSY * 1.5) / 100);
      // Three pings, not sooner than 60 ms after the last.
      if (tick % 6 === 0) expect(taken(rate, 3, nowMs, PING)).toBe(3);
    }
    expect(taken(rate, AT_ONCE, 60_000)).toBeGreaterThan(AT_ONCE / 2);
  });

  it('of 60 MB/s may bring at once all that came while this end slept, though its clock slept too', () => {
    const rate = new ControlRate(0);
    const frames = Math.ceil(BUSY * 15);
    expect(taken(rate, frames, 0)).toBe(frames);
  });
});
