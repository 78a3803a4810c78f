import { createCipheriv, createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { once } from 'node:events';

const HEADER_BYTES = 44;
const PIECE_BYTES = 1_048_576;
const SAMPLE_RATE = 44_100;
const CHANNELS = 2;
const SAMPLE_BYTES = 2;

/**
 * Writes a WAV file (RIFF, 16-bit stereo at 44.1 kHz) of exactly `sizeBytes`: white noise, the same for the same seed,
 * which nothing on the way can compress. Rejects with the system's error, `ENOSPC` for one.
 */
export async function writeNoise(path: string, sizeBytes: number, seed: string): Promise<void> {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  const noise = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const silence = Buffer.alloc(PIECE_BYTES);
  const file = await open(path, 'wx');
  try {
    const out = file.createWriteStream();
    const write = async (bytes: Buffer) => {
      if (!out.write(bytes)) await once(out, 'drain');
    };
    await write(header(sizeBytes).subarray(0, sizeBytes));
    for (let left = sizeBytes - HEADER_BYTES; left > 0; left -= PIECE_BYTES) {
      await write(noise.update(silence.subarray(0, Math.min(left, PIECE_BYTES))));
    }
    out.end();
    await once(out, 'close');
  } finally {
    await file.close().catch(() => undefined);
  }
}

function header(sizeBytes: number): Buffer {
  const dataBytes = Math.max(0, sizeBytes - HEADER_BYTES);
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(dataBytes + 36, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(CHANNELS, 22);
  bytes.writeUInt32LE(SAMPLE_RATE, 24);
  bytes.writeUInt32LE(SAMPLE_RATE * CHANNELS * SAMPLE_BYTES, 28);
  bytes.writeUInt16LE(CHANNELS * SAMPLE_BYTES, 32);
  bytes.writeUInt16LE(8 * SAMPLE_BYTES, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(dataBytes, 40);
  return bytes;
}
