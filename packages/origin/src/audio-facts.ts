import { basename, extname } from 'node:path';
import type { AudioFacts } from '@sonantica/wire';
import { parseFile, type IAudioMetadata } from 'music-metadata';

/** What a file says of itself. */
export interface TrackFacts {
  /** The title in its tags, or the file's name without the extension. */
  readonly title: string;
  /** Absent where the file is broken or says too little. */
  readonly audio?: AudioFacts;
}

/**
 * Reads sound format and title. Never fails for what is in the file: a broken one has no `audio`, and its
 * name for a title. `name` is the name to use where the path leads through a link.
 */
export async function readTrackFacts(
  path: string,
  sizeBytes: number,
  name: string = basename(path),
): Promise<TrackFacts> {
  const named = { title: basename(name, extname(name)) };
  let metadata: IAudioMetadata;
  try {
    metadata = await parseFile(path, { duration: true, skipCovers: true });
  } catch {
    // Whatever the parser stumbles over, the bytes can still be delivered.
    return named;
  }
  const title = metadata.common.title?.trim() || named.title;
  const audio = toAudioFacts(metadata.format, sizeBytes);
  return audio === undefined ? { title } : { title, audio };
}

/** `2410kbps, 96000Hz, 24bit`: the value of `X-Audio-Quality`. */
export function audioQuality({ bitrateKbps, sampleRate, bitsPerSample }: AudioFacts): string {
  const parts = [`${Math.round(bitrateKbps)}kbps`, `${sampleRate}Hz`];
  if (bitsPerSample !== undefined) parts.push(`${bitsPerSample}bit`);
  return parts.join(', ');
}

const CODEC_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^flac/i, 'flac'],
  [/^alac|^apple lossless/i, 'alac'],
  [/^(pcm|ieee_float)$/i, 'pcm'],
  [/^mpeg 1 layer 3|^mpeg 2(\.5)? layer 3|^mp3/i, 'mp3'],
  [/^mpeg-4\/aac|^aac|^mp4a/i, 'aac'],
  [/^vorbis/i, 'vorbis'],
  [/^opus/i, 'opus'],
];
const LOSSLESS_CODECS = new Set(['flac', 'alac', 'pcm']);

function toAudioFacts(format: IAudioMetadata['format'], sizeBytes: number): AudioFacts | undefined {
  const { codec: spelling, sampleRate, numberOfChannels: channels, duration } = format;
  if (spelling === undefined || sampleRate === undefined || channels === undefined) return undefined;
  if (duration === undefined || !(duration > 0)) return undefined;
  // A stated bitrate is sometimes nonsense (Ogg's "unset" reads as 4.3 Gbit/s): never above the file's own.
  const averageKbps = (sizeBytes * 8) / duration / 1000;
  const bitrateKbps = Math.min((format.bitrate ?? Infinity) / 1000, averageKbps);
  const codec = CODEC_NAMES.find(([pattern]) => pattern.test(spelling))?.[1] ?? spelling.toLowerCase();
  const lossless = LOSSLESS_CODECS.has(codec) || format.lossless === true;
  const bits = lossless ? format.bitsPerSample : undefined;
  const plausible =
    codec.length <= 64 &&
    sampleRate >= 1 &&
    sampleRate <= 10_000_000 &&
    channels >= 1 &&
    channels <= 255 &&
    duration <= 1e9 &&
    bitrateKbps >= 0 &&
    (bits === undefined || (bits >= 1 && bits <= 64));
  if (!plausible) return undefined;
  return {
    codec,
    sampleRate,
    ...(bits === undefined ? {} : { bitsPerSample: bits }),
    channels,
    durationSeconds: Math.round(duration * 1000) / 1000,
    bitrateKbps: Math.round(bitrateKbps),
    lossless,
  };
}
