import { AUDIO_EXTENSIONS, audioExtension } from './audio-types.ts';
import { toHex } from './bytes.ts';
import { isTrackId, parseTrackId, type TrackId } from './ids.ts';
import type { SyncHasher } from './merkle.ts';

/** Endings that name a track's other resources: an id with one would hide them. */
const RESERVED_ENDING = /\.(manifest\.json|leaves)$/;
const PLAIN_SEGMENT = /^[A-Za-z0-9._-]+$/;
const MAX_ID_LENGTH = 128;
const SHORT_HASH = 10;
const LONG_HASH = 32;

/**
 * Gives every file of a library its track id, a pure function of the set of relative paths
 * (`/`-separated, any characters). Origins and whoever seeds a folder name its tracks alike by it.
 *
 * - The extension is dropped and `/` becomes `~`: `album/01-song.flac` → `album~01-song`.
 * - Where that would lose something (other characters, a `~` in a name, more than 128 characters, an
 *   ending such as `.leaves`), the readable rest is followed by `-` and ten hexadecimal digits of the
 *   SHA-256 of the path in NFC: `Café/Été.flac` → `Cafe~Ete-` + digits. Such an id never depends on
 *   other files.
 * - Files that differ only in the extension: the best source (`.flac .wav .m4a .opus .ogg .mp3`) keeps
 *   the plain id, the others carry theirs: `song`, `song.mp3`.
 * - What still meets is told apart by longer hashes. No two files ever share an id.
 */
export function assignTrackIds(paths: Iterable<string>, hasher: SyncHasher): Map<string, TrackId> {
  const ids = new Map<string, TrackId>();
  const taken = new Set<string>();
  let waiting = [...new Set(paths)]
    .map((path) => ({ path, rank: sourceRank(path), candidates: candidatesFor(path, hasher) }))
    .toSorted((a, b) => a.rank - b.rank || (a.path < b.path ? -1 : 1));
  // Round by round: a later choice never displaces the first choice of another file.
  for (let round = 0; waiting.length > 0; round++) {
    waiting = waiting.filter(({ path, candidates }) => {
      const id = candidates[round];
      if (id === undefined || taken.has(id)) return true;
      taken.add(id);
      ids.set(path, id);
      return false;
    });
  }
  return ids;
}

/** The id a file has where no other file meets it. `path` is relative and `/`-separated. */
export function trackIdFor(path: string, hasher: SyncHasher): TrackId {
  const [first] = candidatesFor(path, hasher);
  return parseTrackId(first);
}

/** Ids for a path, first choice first; the last is the path's own hash, shared by no other path. */
function candidatesFor(path: string, hasher: SyncHasher): TrackId[] {
  const composed = path.normalize('NFC');
  const extension = audioExtension(composed);
  const segments = composed.slice(0, composed.length - extension.length).split('/');
  const digest = hexOf(composed, hasher);
  const readable = segments.map(toReadable).filter(Boolean).join('~') || 'track';
  const hashed = [SHORT_HASH, LONG_HASH].map((digits) => cut(readable, digits) + digest.slice(0, digits));
  const plain = segments.join('~');
  const isPlain = segments.every((segment) => PLAIN_SEGMENT.test(segment)) && !RESERVED_ENDING.test(plain);
  const candidates = [...(isPlain ? [plain, plain + extension] : []), ...hashed, hexOf(path, hasher)];
  return candidates.filter(isTrackId);
}

function cut(readable: string, digits: number): string {
  return `${readable.slice(0, MAX_ID_LENGTH - digits - 1)}-`;
}

function toReadable(segment: string): string {
  return segment
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[-.]+|-+$/g, '');
}

/** Smaller is the better source. */
function sourceRank(path: string): number {
  const extension = audioExtension(path);
  return extension === '' ? AUDIO_EXTENSIONS.length : AUDIO_EXTENSIONS.indexOf(extension);
}

function hexOf(text: string, hasher: SyncHasher): string {
  return toHex(hasher(new TextEncoder().encode(text)));
}
