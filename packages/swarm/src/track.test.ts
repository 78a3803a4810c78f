import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Track, type TrackHost } from './track.ts';
import { VirtualClock } from './testing/virtual-clock.ts';
import type { TrackVersion } from './track-version.ts';

/** A track whose manifest comes when the test says so. */
function track() {
  const clock = new VirtualClock();
  let arrive: (version: TrackVersion) => void = () => undefined;
  const dueInMs: number[] = [];
  /** What each read and download was told to end by. */
  const signals: AbortSignal[] = [];
  const host: Partial<TrackHost> = {
    clock,
    open: () => new Promise((resolve) => void (arrive = resolve)),
    read: async (_version, _range, due, signal) => {
      dueInMs.push(due);
      signals.push(signal);
      return new Uint8Array();
    },
    download: async (_version, signal) => void signals.push(signal),
    closed: () => undefined,
  };
  const made = new Track('song', host as TrackHost);
  return {
    clock,
    made,
    dueInMs,
    signals,
    arrives: () => arrive({ manifest: { size: 100 } } as unknown as TrackVersion),
  };
}

const RANGE = { start: 0, end: 10 };

describe('a track whose manifest is under way', () => {
  it.each(['read', 'download'] as const)('hears at once that a %s is given up', async (what) => {
    const { made } = track();
    const giveUp = new AbortController();
    const { signal } = giveUp;
    const going = what === 'read' ? made.read(RANGE, { signal }) : made.download({ signal });
    queueMicrotask(() => giveUp.abort());
    await expect(going).rejects.toMatchObject({ name: 'SwarmError', code: 'aborted' });
    await expect(made.read(RANGE, { signal })).rejects.toMatchObject({ code: 'aborted' });
  });

  it('leaves it to the other reads when one is given up', async () => {
    const { made, arrives, dueInMs } = track();
    const other = made.read(RANGE);
    const giveUp = new AbortController();
    const going = made.read(RANGE, { signal: giveUp.signal });
    giveUp.abort();
    await expect(going).rejects.toMatchObject({ code: 'aborted' });
    arrives();
    await other;
    expect(dueInMs).toHaveLength(1);
  });

  it.each([
    [500, 200],
    [300, 0],
    [100, 0],
  ])('counts a deadline of %i ms from the call: %i are left after 300', async (deadlineMs, leftMs) => {
    const { clock, made, arrives, dueInMs } = track();
    const reading = made.read(RANGE, { deadlineMs });
    clock.advanceTo(300);
    arrives();
    await reading;
    expect(dueInMs).toEqual([leftMs]);
  });
});

describe.each(['read', 'download'] as const)('a %s with a signal', (what) => {
  async function begun() {
    const { made, arrives, signals } = track();
    const giveUp = new AbortController();
    const { signal } = giveUp;
    const going = what === 'read' ? made.read(RANGE, { signal }) : made.download({ signal });
    arrives();
    return { made, going, giveUp, signals };
  }

  it.each(['caller', 'handle'] as const)('ends with the %s', async (who) => {
    const { made, going, giveUp, signals } = await begun();
    while (signals.length === 0) await Promise.resolve();
    if (who === 'caller') giveUp.abort();
    else made.close();
    expect(signals[0]?.aborted).toBe(true);
    await going;
  });

  it('follows neither the caller nor the handle once it is over', async () => {
    const { made, going, giveUp, signals } = await begun();
    await going;
    expect(getEventListeners(giveUp.signal, 'abort')).toEqual([]);
    giveUp.abort();
    made.close();
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  });
});
