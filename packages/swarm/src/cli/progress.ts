import { createLogUpdate } from 'log-update';
import { blue, cyan, dim, green, yellow } from 'yoctocolors';
import type { TierBytes, TrackStats } from '../options.ts';

const BAR_CELLS = 32;
const LINE_EVERY_MS = 2_000;
const TIERS = ['cache', 'aula', 'global', 'origin'] as const satisfies readonly (keyof TierBytes)[];
const COLOURS = { cache: cyan, aula: green, global: blue, origin: yellow };
/** Told apart without colour too. */
const CELLS = { cache: '▓', aula: '█', global: '▒', origin: '░' };

/** Shows how a download comes along: a bar coloured by tier on a terminal, a line now and then elsewhere. */
export interface Progress {
  show(stats: TrackStats, size: number): void;
  /** A line of its own, above what is shown. */
  say(line: string): void;
  /** Leaves the last state standing. */
  end(): void;
}

export function createProgress(stream: NodeJS.WriteStream): Progress {
  if (stream.isTTY) {
    const update = createLogUpdate(stream, { showCursor: true });
    return {
      show: (stats, size) => update(progressLine(stats, size)),
      say: (line) => {
        update.clear();
        stream.write(`${line}\n`);
      },
      end: () => update.done(),
    };
  }
  let last = 0;
  return {
    show: (stats, size) => {
      if (Date.now() - last < LINE_EVERY_MS) return;
      last = Date.now();
      stream.write(`${progressText(stats, size)}\n`);
    },
    say: (line) => void stream.write(`${line}\n`),
    end: () => undefined,
  };
}

/** The bar: `█` from the Aula, `▒` from other peers, `░` from the origin, `▓` kept from before. */
export function progressLine(stats: TrackStats, size: number): string {
  let bar = '';
  let cells = 0;
  let bytes = 0;
  for (const tier of TIERS) {
    bytes += stats.bytes[tier];
    const upTo = Math.min(BAR_CELLS, Math.round((bytes / size) * BAR_CELLS));
    bar += COLOURS[tier](CELLS[tier].repeat(Math.max(0, upTo - cells)));
    cells = Math.max(cells, upTo);
  }
  return `${bar}${dim('·'.repeat(BAR_CELLS - cells))} ${progressText(stats, size)}`;
}

function progressText({ bytes, bytesPerSecond, peers }: TrackStats, size: number): string {
  const got = bytes.cache + bytes.aula + bytes.global + bytes.origin;
  const percent = Math.min(100, Math.floor((got / size) * 100));
  const tiers = TIERS.filter((tier) => bytes[tier] > 0).map((tier) => `${tier} ${megabytes(bytes[tier])}`);
  return [
    `${percent} %`,
    `${megabytes(bytesPerSecond)}/s`,
    `${peers} ${peers === 1 ? 'peer' : 'peers'}`,
    ...tiers,
  ].join('  ');
}

/** Decimal megabytes, as people count them. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
