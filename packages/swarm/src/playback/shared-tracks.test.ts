import { describe, expect, it } from 'vitest';
import { Playhead } from '../core/playhead.ts';
import { SwarmError } from '../errors.ts';
import { VirtualClock } from '../testing/virtual-clock.ts';
import { SharedTracks, type ClosableTrack } from './shared-tracks.ts';

/** Tracks that say which handles were opened and closed, and whose manifests come at once. */
function shared() {
  const clock = new VirtualClock();
  const opened: string[] = [];
  const closed: string[] = [];
  const tracks = new SharedTracks((trackId) => {
    const name = `${trackId} ${opened.filter((each) => each.startsWith(trackId)).length + 1}`;
    opened.push(name);
    const track: Partial<ClosableTrack> = {
      trackId: name,
      playhead: new Playhead(clock),
      manifest: () => Promise.resolve({} as never),
      close: () => void closed.push(name),
    };
    return track as ClosableTrack;
  });
  return { clock, tracks, opened, closed };
}

const NEWS = new SwarmError('origin-unavailable', 'nobody gives these bytes');

describe('the handles of players that come by request', () => {
  it('are one for a play, however long it is', () => {
    const { clock, tracks, opened } = shared();
    tracks.take('song', true).done();
    tracks.take('song', true).done();
    clock.advanceTo(60_000);
    tracks.take('song', false).done();
    expect(opened).toEqual(['song 1']);
  });

  it('are new for who begins ten seconds later, and the former is closed when it is used no more', async () => {
    const { clock, tracks, opened, closed } = shared();
    const former = tracks.take('song', true);
    clock.advanceTo(9_999);
    tracks.take('song', true).done();
    expect(opened).toHaveLength(1);
    clock.advanceTo(10_000);
    const latter = tracks.take('song', true);
    expect([former.track, latter.track].map(({ trackId }) => trackId)).toEqual(['song 1', 'song 2']);
    await Promise.resolve();
    expect(closed).toEqual([]);
    former.done();
    expect(closed).toEqual(['song 1']);
  });

  it('are new after a body failed, and not after a player left', () => {
    const { tracks, opened, closed } = shared();
    tracks.take('song', true).done(new SwarmError('aborted', 'the player turned elsewhere'));
    const failing = tracks.take('song', false);
    failing.done(NEWS);
    failing.done(NEWS);
    expect(closed).toEqual(['song 1']);
    tracks.take('song', false);
    expect(opened).toEqual(['song 1', 'song 2']);
  });

  it('are sixteen at most, those in use aside', () => {
    const { tracks, opened, closed } = shared();
    const used = tracks.take('used', true);
    for (let i = 0; i < 40; i++) tracks.take(`track-${i}`, true).done();
    expect(opened.length - closed.length).toBe(17);
    used.done();
    expect(opened.length - closed.length).toBe(16);
    expect(closed).toContain('used 1');
  });

  it('are no more than eighty where bodies are never read', () => {
    const { tracks, opened, closed } = shared();
    for (let i = 0; i < 300; i++) tracks.take(`track-${i}`, true);
    expect(opened.length - closed.length).toBe(16 + 64);
  });

  it('are all closed in the end', () => {
    const { tracks, opened, closed } = shared();
    for (let i = 0; i < 20; i++) tracks.take(`track-${i}`, true);
    tracks.close();
    expect(new Set(closed)).toEqual(new Set(opened));
  });
});
