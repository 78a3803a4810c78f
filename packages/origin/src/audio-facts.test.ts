import { describe, expect, it } from 'vitest';
import { audioQuality, readTrackFacts } from './audio-facts.ts';
import { makeFolder, makeWav, put } from './testing/fixtures.ts';

async function factsOf(name: string, content: string | Uint8Array) {
  const path = await put(await makeFolder(), name, content);
  return readTrackFacts(path, content.length);
}

describe('the facts of a file', () => {
  it('are its sound format and, without a title, its name', async () => {
    const wav = makeWav({ seconds: 2.5, sampleRate: 96_000, bits: 24 });
    expect(await factsOf('01 Dawn.wav', wav)).toEqual({
      title: '01 Dawn',
      audio: {
        codec: 'pcm',
        sampleRate: 96_000,
        bitsPerSample: 24,
        channels: 2,
        durationSeconds: 2.5,
        bitrateKbps: 4608,
        lossless: true,
      },
    });
  });

  it('are read from a FLAC header, with the title in its tags', async () => {
    const flac = makeFlacHeader({
      sampleRate: 44_100,
      channels: 2,
      bits: 16,
      samples: 441_000,
      title: 'Été',
    });
    const audio = Buffer.concat([flac, Buffer.alloc(1_000_000 - flac.length)]);
    expect(await factsOf('x.flac', audio)).toMatchObject({
      title: 'Été',
      audio: { codec: 'flac', sampleRate: 44_100, bitsPerSample: 16, durationSeconds: 10, lossless: true },
    });
  });

  it.each([
    ['a.flac', ''],
    ['a.flac', 'fLaC'],
    ['a.flac', 'not a flac at all'],
    ['a.mp3', '\u0000\u0001\u0002'],
    ['a.m4a', `\u0000\u0000\u0000\u0018ftypM4A ${'\uffff'.repeat(50)}`],
    ['a.ogg', `OggS${'x'.repeat(200)}`],
    ['a.opus', 'OggS'],
    ['a.wav', 'RIFF\u0000\u0000\u0000\u0000WAVEfmt '],
  ])('of a broken file (%s, %j) are its name alone', async (name, content) => {
    expect(await factsOf(name, content)).toEqual({ title: 'a' });
  });

  it('of a cut file do not state a bitrate that the file cannot hold', async () => {
    const cut = makeWav({ seconds: 10 }).subarray(0, 8_000);
    const { audio } = await factsOf('a.wav', cut);
    expect(audio?.durationSeconds).toBeGreaterThan(0);
    const mostKbps = (cut.length * 8) / (audio?.durationSeconds ?? 0) / 1000;
    expect(audio?.bitrateKbps).toBeLessThanOrEqual(Math.ceil(mostKbps));
  });
});

describe('X-Audio-Quality', () => {
  const facts = { codec: 'flac', channels: 2, durationSeconds: 241.3, lossless: true };

  it('names bitrate, sample rate and depth', () => {
    expect(audioQuality({ ...facts, bitrateKbps: 2410, sampleRate: 96_000, bitsPerSample: 24 })).toBe(
      '2410kbps, 96000Hz, 24bit',
    );
  });

  it('leaves out a depth that the codec does not have', () => {
    expect(audioQuality({ ...facts, bitrateKbps: 192, sampleRate: 44_100 })).toBe('192kbps, 44100Hz');
  });
});

/** STREAMINFO and VORBIS_COMMENT (RFC 9639 §8): a FLAC file up to its first frame. */
function makeFlacHeader(of: {
  sampleRate: number;
  channels: number;
  bits: number;
  samples: number;
  title: string;
}): Buffer {
  const info = Buffer.alloc(34);
  info.writeUInt16BE(4096, 0);
  info.writeUInt16BE(4096, 2);
  const packed =
    (BigInt(of.sampleRate) << 44n) |
    (BigInt(of.channels - 1) << 41n) |
    (BigInt(of.bits - 1) << 36n) |
    BigInt(of.samples);
  info.writeBigUInt64BE(packed, 10);
  const comment = Buffer.from(`TITLE=${of.title}`);
  const tags = Buffer.alloc(12 + comment.length);
  tags.writeUInt32LE(0, 0);
  tags.writeUInt32LE(1, 4);
  tags.writeUInt32LE(comment.length, 8);
  comment.copy(tags, 12);
  const header = (type: number, length: number) =>
    Buffer.from([type, length >> 16, (length >> 8) & 0xff, length & 0xff]);
  return Buffer.concat([Buffer.from('fLaC'), header(0, info.length), info, header(0x84, tags.length), tags]);
}
