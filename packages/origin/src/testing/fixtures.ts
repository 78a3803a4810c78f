import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { startOrigin, type RunningOrigin, type StartOriginOptions } from '../serve.ts';

/** A WAV file of PCM noise from a seeded generator: the same seed gives the same bytes. */
export function makeWav({ seconds = 1, sampleRate = 8000, bits = 16, channels = 2, seed = 1 } = {}): Buffer {
  const frameBytes = (bits / 8) * channels;
  const dataBytes = Math.round(seconds * sampleRate) * frameBytes;
  const wav = Buffer.alloc(44 + dataBytes);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + dataBytes, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(channels, 22);
  wav.writeUInt32LE(sampleRate, 24);
  wav.writeUInt32LE(sampleRate * frameBytes, 28);
  wav.writeUInt16LE(frameBytes, 32);
  wav.writeUInt16LE(bits, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(dataBytes, 40);
  let state = seed;
  for (let at = 44; at < wav.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    wav[at] = state >>> 24;
  }
  return wav;
}

/** A folder that is gone after the test, with these files in it. */
export async function makeFolder(files: Record<string, string | Uint8Array> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sonantica-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) await put(folder, path, content);
  return folder;
}

/** Writes a file, making the folders above it. */
export async function put(folder: string, path: string, content: string | Uint8Array): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}

/** An origin on any free port that is closed after the test. */
export async function serveForTest(
  dir: string,
  options: Partial<StartOriginOptions> = {},
): Promise<RunningOrigin> {
  const origin = await startOrigin({ dir, port: 0, ...options });
  onTestFinished(() => origin.close());
  return origin;
}
