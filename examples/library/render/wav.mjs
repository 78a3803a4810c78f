const HEADER_BYTES = 68;
const PCM_GUID = Buffer.from('0100000000001000800000aa00389b71', 'hex');

/**
 * Rounds a stereo track to whole samples, with triangular dither, and wraps it as a WAV file.
 * @param {import("./stereo.mjs").Stereo} track
 * @param {{ rate: number, bits: 16 | 24 }} format
 * @param {ReturnType<typeof import("./random.mjs").createRandom>} random
 * @returns {Buffer}
 */
export function encodeWav(track, { rate, bits }, random) {
  const sampleBytes = bits / 8;
  const dataBytes = track.length * 2 * sampleBytes;
  const file = Buffer.alloc(HEADER_BYTES + dataBytes);
  writeHeader(file, { rate, bits, dataBytes });

  const scale = 2 ** (bits - 1);
  let offset = HEADER_BYTES;
  for (let i = 0; i < track.length; i++) {
    for (const channel of track.channels) {
      const value = Math.round(channel[i] * scale + random.triangular());
      offset = file.writeIntLE(Math.max(-scale, Math.min(scale - 1, value)), offset, sampleBytes);
    }
  }
  return file;
}

/** The extensible header, which names the depth and the two speakers without ambiguity. */
function writeHeader(file, { rate, bits, dataBytes }) {
  const frameBytes = (2 * bits) / 8;
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(40, 16);
  file.writeUInt16LE(0xfffe, 20);
  file.writeUInt16LE(2, 22);
  file.writeUInt32LE(rate, 24);
  file.writeUInt32LE(rate * frameBytes, 28);
  file.writeUInt16LE(frameBytes, 32);
  file.writeUInt16LE(bits, 34);
  file.writeUInt16LE(22, 36);
  file.writeUInt16LE(bits, 38);
  file.writeUInt32LE(0b11, 40);
  PCM_GUID.copy(file, 44);
  file.write('data', 60, 'latin1');
  file.writeUInt32LE(dataBytes, 64);
}
