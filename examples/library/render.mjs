/**
 * Renders the example library: plays each score, and writes it as FLAC next to this file.
 *
 *     node examples/library/render.mjs [folder]
 */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { renderFirstLight } from './render/first-light.mjs';
import { encodeFlac, hasFlac } from './render/flac.mjs';
import { renderLamplight } from './render/lamplight.mjs';
import { createRandom } from './render/random.mjs';
import { encodeWav } from './render/wav.mjs';

const DITHER_SEED = 1;

const TRACKS = [
  {
    name: 'lamplight-16-44',
    title: 'Lamplight',
    format: { rate: 44_100, bits: 16, seconds: 68 },
    render: renderLamplight,
  },
  {
    name: 'first-light-24-96',
    title: 'First Light',
    format: { rate: 96_000, bits: 24, seconds: 60 },
    render: renderFirstLight,
  },
];

const tagsOf = (title, number) => ({
  TITLE: title,
  ARTIST: 'Sonántica',
  ALBUM: 'A Quiet House',
  TRACKNUMBER: String(number),
  TRACKTOTAL: String(TRACKS.length),
  DATE: '2026',
  COMMENT: 'CC0 1.0',
  LICENSE: 'https://creativecommons.org/publicdomain/zero/1.0/',
});

function main(folder) {
  if (!hasFlac()) {
    console.error('The flac command is needed to render the library, and was not found.');
    process.exitCode = 2;
    return;
  }
  mkdirSync(folder, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), 'sonantica-library-'));
  try {
    TRACKS.forEach(({ name, title, format, render }, index) => {
      const wav = join(scratch, `${name}.wav`);
      const flac = join(folder, `${name}.flac`);
      writeFileSync(wav, encodeWav(render(format), format, createRandom(DITHER_SEED)));
      encodeFlac(wav, flac, tagsOf(title, index + 1));
      console.log(`${name}.flac  ${(statSync(flac).size / 1e6).toFixed(2)} MB`);
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

main(resolve(process.argv[2] ?? dirname(fileURLToPath(import.meta.url))));
