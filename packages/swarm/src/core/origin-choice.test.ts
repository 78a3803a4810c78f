import { chunkCount, ChunkSet, LIMITS } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../testing/seeded-random.ts';
import { patientChoice, urgentChoice, type OriginView } from './origin-choice.ts';
import { OriginPace } from './origin-pace.ts';
import { SourceState } from './source-state.ts';
import { TrackDemand } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';

const KEY = 'song@1' as TrackKey;
const SONG = { size: 16 * LIMITS.defaultChunkBytes, chunkSize: LIMITS.defaultChunkBytes };
const DUE_MS = 4_000;

describe('what peers hold who cannot give it by its deadline', () => {
  it('is asked of a fast origin', () => {
    expect(choiceAt(1_000, 2)).toEqual({ type: 'ask' });
  });

  it('is left to them where the origin is slow, as a crowd passes it on', () => {
    expect(choiceAt(64, 2)).toEqual({ type: 'wait' });
  });

  it('is asked of a slow origin where one alone holds it, who may be slower', () => {
    expect(choiceAt(64, 1)).toEqual({ type: 'ask' });
  });
});

describe('what is late, and what peers have in part', () => {
  const late = (bytesPerMs: number, holders: number, block = 0) => {
    const { view, track, chunk } = waiting(bytesPerMs, holders);
    for (const { holdings } of view.peersOf(track)) {
      holdings.held.delete(0);
      holdings.parts.set(
        0,
        Uint8Array.from({ length: 16 }, (_, at) => (at === block ? 1 : 0)),
      );
    }
    return urgentChoice(view, track, chunk, DUE_MS + 7_000).type;
  };

  it('is left to several of them where the origin is slow', () => {
    expect(late(64, 2)).toBe('wait');
  });

  it('is asked of the origin where one has it, or nobody has this part, or the origin is fast', () => {
    expect(late(64, 1)).toBe('fetch');
    expect(late(64, 2, 3)).toBe('fetch');
    expect(late(1_000, 2)).toBe('fetch');
  });
});

/** What is chosen for a chunk due in four seconds, of an origin with such a rate; its holders give 16 KiB a second each. */
function choiceAt(bytesPerMs: number, holders: number) {
  const { view, track, chunk } = waiting(bytesPerMs, holders);
  return patientChoice(view, track, chunk, 0);
}

/** A chunk due in four seconds that some hold. */
function waiting(bytesPerMs: number, holders: number) {
  const track = new TrackDemand(KEY, SONG, ChunkSet.none(chunkCount(SONG)), seededRandom(1));
  // Somebody listens at 131 bytes a millisecond.
  for (const chunk of [0, 1]) {
    const start = chunk * SONG.chunkSize;
    track.demand(chunk, { start, end: start + SONG.chunkSize }, DUE_MS + chunk * 2_000, 0);
  }
  const peers = Array.from({ length: holders }, (_, at) => {
    const peer = new SourceState(`p${at}`, 'aula', {}, -10_000);
    const holdings = { held: ChunkSet.all(16), fetching: new Map(), parts: new Map() };
    peer.tracks.set(KEY, holdings);
    for (let block = 1; block <= 4; block++) {
      peer.window.requested(LIMITS.blockBytes, (block - 5) * 1_000);
      peer.window.delivered(LIMITS.blockBytes, 0, (block - 4) * 1_000);
      peer.gave(LIMITS.blockBytes, (block - 4) * 1_000);
    }
    return { peer, holdings };
  });
  const view: OriginView = {
    policy: { allowDownloadFromPeers: true, preferServerOverP2P: false },
    tracker: 'up',
    pace: paced(bytesPerMs),
    trialMs: () => 160,
    ownId: 'me',
    isDoubted: () => false,
    waitMs: () => 160,
    peersOf: () => peers,
  };
  const [chunk] = track.inOrder();
  if (chunk === undefined) throw new Error('nothing is wanted');
  return { view, track, chunk };
}

function paced(bytesPerMs: number): OriginPace {
  const pace = new OriginPace();
  const request = {};
  pace.asked(request, 0);
  for (let i = 0; i < 64; i++)
    pace.delivered(request, LIMITS.blockBytes, false, (i * LIMITS.blockBytes) / bytesPerMs);
  return pace;
}
