import { startTracker, type RunningTracker } from '@sonantica/tracker';
import { afterEach, describe, expect, it } from 'vitest';
import { newcomers } from './tracker-newcomers.ts';

let tracker: RunningTracker | undefined;
afterEach(async () => {
  await tracker?.close();
});

describe('newcomers', () => {
  it('join one after another, are counted each, and go at once', async () => {
    tracker = await startTracker({ port: 0, host: '127.0.0.1' });
    const { tookMs } = await newcomers(tracker.url, 60);
    expect(tookMs).toHaveLength(3);
    for (const ms of tookMs) expect(ms).toBeGreaterThan(0);
    await expect.poll(() => tracker?.stats().peers, { timeout: 5_000 }).toBe(0);
  });

  it('fail when one of them is not let in', async () => {
    tracker = await startTracker({
      port: 0,
      host: '127.0.0.1',
      auth: 'a secret of the tracker, long enough',
    });
    await expect(newcomers(tracker.url, 60)).rejects.toThrow('a newcomer did not get in');
  });
});
