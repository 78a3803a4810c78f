/** How long before the end of what plays the next head is fetched, in milliseconds. */
export const HEAD_AHEAD_MS = 30_000;

/**
 * Which tracks may be prefetched whole: in their order, each that still fits with its `size` in bytes. `roomBytes` is what of the listener's
 * storage they may take together.
 */
export function fitting<Candidate extends { readonly size: number }>(
  candidates: readonly Candidate[],
  roomBytes: number,
): Candidate[] {
  let leftBytes = roomBytes;
  return candidates.filter(({ size }) => {
    if (size > leftBytes) return false;
    leftBytes -= size;
    return true;
  });
}

/** Which of the tracks is likely to be played after this one: the one behind it, else the first. */
export function nextAfter(trackIds: readonly string[], playing: string): string | undefined {
  const next = trackIds[trackIds.indexOf(playing) + 1];
  return next === playing ? undefined : next;
}

/**
 * When the end of a track is heard, in milliseconds from now, as a read of it says: a byte at `offset` is due in
 * `dueInMs`. `undefined` where it is not known how fast the track is played.
 */
export function endsInMs(
  { size, durationSeconds }: { readonly size: number; readonly durationSeconds: number | undefined },
  offset: number,
  dueInMs: number,
): number | undefined {
  if (durationSeconds === undefined || durationSeconds <= 0 || !Number.isFinite(dueInMs)) return undefined;
  return dueInMs + ((size - offset) / size) * durationSeconds * 1000;
}
