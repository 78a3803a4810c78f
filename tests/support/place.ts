import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOrigin, type PublisherKey, type RunningOrigin } from '@sonantica/origin';
import { startTracker, type RunningTracker, type TrackerConfig } from '@sonantica/tracker';
import type { ManifestJson } from '@sonantica/wire';
import { onTestFinished } from 'vitest';

/** Bytes of a chunk of every track made here. */
export const CHUNK_BYTES = 262_144;
/** Bytes of a block. */
export const BLOCK_BYTES = 16_384;

/** A published track and what is known of it. */
export interface TestTrack {
  readonly trackId: string;
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly sha256: string;
  /** Where the file lies. */
  readonly path: string;
  readonly manifest: ManifestJson;
}

/** A tracker, an origin and one track, gone after the test. */
export interface Place {
  readonly tracker: RunningTracker;
  readonly origin: RunningOrigin;
  readonly track: TestTrack;
}

/** How a {@link Place} is made. */
export interface PlaceOptions {
  /** Chunks of the track; the last one is short. */
  readonly chunks?: number;
  readonly tracker?: Partial<TrackerConfig>;
  readonly publisherKey?: PublisherKey;
}

/** Starts a tracker and an origin over one track of noise. */
export async function startPlace({ chunks = 8, tracker, publisherKey }: PlaceOptions = {}): Promise<Place> {
  const dir = await makeFolder();
  const bytes = new Uint8Array(makeWav((chunks - 1) * CHUNK_BYTES + 100_000));
  const path = join(dir, 'noise.wav');
  await writeFile(path, bytes);
  const origin = await startOrigin({ dir, port: 0, ...(publisherKey === undefined ? {} : { publisherKey }) });
  onTestFinished(() => origin.close());
  const running = await startTracker({ port: 0, ...tracker });
  onTestFinished(() => running.close());
  const response = await fetch(`${origin.url}/noise.manifest.json`);
  const manifest = (await response.json()) as ManifestJson;
  return {
    tracker: running,
    origin,
    track: {
      trackId: 'noise',
      bytes,
      size: bytes.length,
      sha256: sha256Of(bytes),
      path,
      manifest,
    },
  };
}

/** A temporary folder, gone after the test. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sonantica-e2e-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** SHA-256 in hexadecimal. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The chunks from `first` to `end`, which is not included, of a track: its bytes. */
export function chunkBytes(track: TestTrack, first: number, end = first + 1): number {
  return Math.min(end * CHUNK_BYTES, track.size) - first * CHUNK_BYTES;
}

/** A WAV file of `size` bytes, its sound noise from a seeded generator. */
export function makeWav(size: number, seed = 1): Buffer {
  const wav = Buffer.alloc(size);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(size - 8, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(2, 22);
  wav.writeUInt32LE(44_100, 24);
  wav.writeUInt32LE(44_100 * 4, 28);
  wav.writeUInt16LE(4, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(size - 44, 40);
  let state = seed;
  for (let at = 44; at < size; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    wav[at] = state >>> 24;
  }
  return wav;
}
