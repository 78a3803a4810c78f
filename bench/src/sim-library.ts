import { buildManifest, LIMITS, parseTrackId, type ManifestJson } from '@sonantica/wire';
import { createHash } from 'node:crypto';
import type { Scenario } from './scenario.ts';

const MB = 1_000_000;

/** The tracks of a simulation. */
export function documentsOf(scenario: Scenario): Promise<ManifestJson[]> {
  return Promise.all(Array.from({ length: scenario.tracks }, (_, track) => documentOf(scenario, track)));
}

/** A manifest whose tree is right over chunk hashes that are made up. */
async function documentOf({ sizeMB, seed }: Scenario, track: number): Promise<ManifestJson> {
  const size = Math.round(sizeMB * MB);
  const chunkSize = LIMITS.defaultChunkBytes;
  const hasher = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());
  const of = track === 0 ? `${seed}` : `${seed}/track-${track}`;
  const chunkHashes = Array.from({ length: Math.ceil(size / chunkSize) }, (_, chunk) =>
    hasher(new TextEncoder().encode(`${of}/${chunk}`)),
  );
  const facts = {
    trackId: parseTrackId(track === 0 ? 'song' : `song-${track + 1}`),
    size,
    chunkSize,
    mime: 'audio/flac',
    sha256: '0'.repeat(64),
    chunkHashes,
  };
  return buildManifest(facts, hasher);
}
