import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { abortWith } from './abort-with.ts';

describe('what follows a signal', () => {
  it('is aborted with it, for the same reason', () => {
    const [leader, follower] = [new AbortController(), new AbortController()];
    abortWith(leader.signal, follower);
    const reason = new Error('enough');
    leader.abort(reason);
    expect(follower.signal.reason).toBe(reason);
  });

  it('is aborted at once where the signal was before', () => {
    const follower = new AbortController();
    abortWith(AbortSignal.abort('over'), follower);
    expect(follower.signal.reason).toBe('over');
  });

  it('goes on once it follows no more', () => {
    const [leader, follower] = [new AbortController(), new AbortController()];
    abortWith(leader.signal, follower)();
    leader.abort();
    expect(follower.signal.aborted).toBe(false);
  });

  it('shares one listener with all that do', () => {
    const leader = new AbortController();
    const listening = vi.spyOn(leader.signal, 'addEventListener');
    for (let i = 0; i < 20; i++) abortWith(leader.signal, new AbortController());
    expect(listening).toHaveBeenCalledTimes(1);
  });

  it('leaves nothing on the signal once none does any more', () => {
    const leader = new AbortController();
    const ends = [1, 2].map(() => abortWith(leader.signal, new AbortController()));
    ends[0]?.();
    ends[0]?.();
    expect(getEventListeners(leader.signal, 'abort')).toHaveLength(1);
    ends[1]?.();
    expect(getEventListeners(leader.signal, 'abort')).toHaveLength(0);
  });

  it('is aborted again with a signal that nobody followed for a while', () => {
    const [leader, follower] = [new AbortController(), new AbortController()];
    const former = abortWith(leader.signal, new AbortController());
    former();
    abortWith(leader.signal, follower);
    former();
    leader.abort();
    expect(follower.signal.aborted).toBe(true);
  });
});
