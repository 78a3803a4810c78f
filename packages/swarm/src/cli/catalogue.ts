import { isTrackId, type ManifestJson, type TrackId } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';

/** An origin that has not answered whole by then is given up, in milliseconds: it may read every file for its list. */
const ANSWER_WITHIN_MS = 30_000;

/** What an origin lists: under which ids it serves what. */
export interface CatalogueEntry {
  readonly base: string;
  readonly trackId: TrackId;
  readonly size: number;
}

/** What mirrors list, and those that answer but list nothing, as a static server does. */
export interface Catalogue {
  readonly entries: readonly CatalogueEntry[];
  /** Base URLs, without a slash at the end. */
  readonly listless: readonly string[];
}

/** How long and how far an origin is waited for. */
export interface Patience {
  readonly signal: AbortSignal;
  readonly withinMs?: number;
}

/** What mirrors list. Rejects with `origin-unavailable` when none of them answers. */
export async function readCatalogue(origins: readonly string[], patience: Patience): Promise<Catalogue> {
  const entries: CatalogueEntry[] = [];
  const listless: string[] = [];
  let failure: unknown;
  let answered = 0;
  for (const origin of origins) {
    const base = origin.replace(/\/+$/, '');
    try {
      const listed = entriesIn(base, await getJson(`${base}/`, patience));
      if (listed.length === 0) listless.push(base);
      entries.push(...listed);
      answered++;
    } catch (error) {
      patience.signal.throwIfAborted();
      failure = error;
    }
  }
  if (failure !== undefined && answered === 0) throw failure;
  return { entries, listless };
}

/**
 * The origin's own manifest of the same bytes, signature included: under the id of `own` where that fits, else under
 * whatever id is listed. Unproven; rejects with `origin-unavailable`.
 */
export async function publishedManifest(
  own: ManifestJson,
  { entries, listless }: Catalogue,
  patience: Patience,
): Promise<ManifestJson | undefined> {
  const ofSize = entries.filter(({ size }) => size === own.size);
  const candidates = [
    ...ofSize.filter(({ trackId }) => trackId === own.trackId),
    ...ofSize.filter(({ trackId }) => trackId !== own.trackId),
    ...listless.map((base) => ({ base, trackId: own.trackId })),
  ];
  for (const { base, trackId } of candidates) {
    const manifest = await getJson(`${base}/${trackId}.manifest.json`, patience);
    if (!isRecord(manifest)) continue;
    if (manifest['trackId'] === trackId && manifest['size'] === own.size && manifest['sha256'] === own.sha256)
      return manifest as unknown as ManifestJson;
  }
  return undefined;
}

/** `undefined` for an answer that is a refusal or no JSON. */
async function getJson(url: string, { signal, withinMs = ANSWER_WITHIN_MS }: Patience): Promise<unknown> {
  const late = AbortSignal.timeout(withinMs);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, late]) });
    const text = await response.text();
    return response.ok ? parsed(text) : undefined;
  } catch (error) {
    signal.throwIfAborted();
    const why = late.aborted ? `did not answer within ${withinMs / 1000} s` : 'does not answer';
    throw new SwarmError('origin-unavailable', `${url} ${why}`, error);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function entriesIn(base: string, list: unknown): CatalogueEntry[] {
  const tracks: unknown = isRecord(list) ? list['tracks'] : undefined;
  return (Array.isArray(tracks) ? tracks : []).flatMap((track: unknown) => {
    if (!isRecord(track)) return [];
    const { trackId, size } = track;
    return isTrackId(trackId) && typeof size === 'number' ? [{ base, trackId, size }] : [];
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
