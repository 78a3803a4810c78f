import type { RootHash, TrackId } from '@sonantica/wire';

declare const brand: unique symbol;
/** Names one version of a track: `<trackId>@<root>`. */
export type TrackKey = string & { readonly [brand]: 'TrackKey' };

export function trackKey(trackId: TrackId, root: RootHash): TrackKey {
  return `${trackId}@${root}` as TrackKey;
}
