import { encodeClientMessage, parseRootHash, parseTrackId } from '@sonantica/wire';
import { DEFAULT_RATES, perMinute, systemEnv, Tracker, type TrackerSession } from '@sonantica/tracker';
import { answer } from './tracker-child.ts';
import { announcementOf } from './tracker-dialect-sonantica.ts';

// What the registry keeps of each peer in each track, without sockets, in a process started with --expose-gc.

/** What is asked: peers, each in so many tracks, all with a bitmap. */
export interface ToHeap {
  readonly peers: number;
  readonly tracksEach: number;
}

/** What came of it. */
export interface FromHeap {
  readonly type: 'registry';
  readonly entries: number;
  readonly bytesPerEntry: number;
}

answer<ToHeap, FromHeap>(async ({ peers, tracksEach }) => {
  const rates = { ...DEFAULT_RATES, announces: perMinute(0), announcesPerTrack: perMinute(0) };
  const tracker = new Tracker(systemEnv(), { rates });
  const sessions: TrackerSession[] = [];
  for (let i = 0; i < peers; i++) {
    const session = tracker.connect({ send: () => {}, close: () => {} });
    session.receive(encodeClientMessage({ type: 'hello' }));
    sessions.push(session);
  }
  // A peer's number decides its bitmap; 2 is one of those that hold some of the track.
  const root = parseRootHash('5e1f'.repeat(16));
  const announce = (session: TrackerSession, track: number) => {
    const trackId = parseTrackId(`track-${track}`);
    session.receive(encodeClientMessage({ ...announcementOf(0, 2, 0), trackId, root }));
  };
  const before = await heapBytes();
  for (let track = 0; track < tracksEach; track++) {
    for (const [i, session] of sessions.entries()) announce(session, (i % 10) * tracksEach + track);
  }
  const { members } = tracker.stats();
  const bytesPerEntry = ((await heapBytes()) - before) / members;
  return { type: 'registry', entries: members, bytesPerEntry };
});

async function heapBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
