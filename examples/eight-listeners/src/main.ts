import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startOrigin } from '@sonantica/origin';
import { startTracker } from '@sonantica/tracker';
import type { TierBytes } from '@sonantica/swarm';
import { Command } from 'commander';
import { startPage } from './page.ts';
import { hear, joinOneByOne, type Heard, type Listener } from './listeners.ts';

const LISTENERS = 8;
const SPREAD_MS = 4_000;
const TRACK_ID = 'first-light-24-96';
const LIBRARY = fileURLToPath(new URL('../../library/', import.meta.url));
const MISUSED = 2;
/** A run that ends by itself is given up after this long. */
const ONCE_WITHIN_MS = 120_000;

interface Flags {
  readonly once?: boolean;
  readonly json?: boolean;
}

const flags = new Command('npm start --')
  .description('A tracker, an origin over the example library, and eight listeners in two Aulas.')
  .option('--once', 'end when every listener has the track')
  .option('--json', 'print the result as JSON')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : MISUSED))
  .parse()
  .opts<Flags>();

const say = (line: string) => {
  if (flags.json !== true) console.log(line);
};

const begun = performance.now();
const tracker = await atPort(7000, (port) => startTracker({ port }));
const origin = await atPort(7001, (port) => startOrigin({ dir: LIBRARY, port }));
const page = await atPort(7002, (port) => startPage(port, { tracker: tracker.url, origin: origin.url }));
say(`tracker ${tracker.url}\norigin  ${origin.url}\nplayer  ${page.url}\n`);

const published = createHash('sha256')
  .update(await readFile(`${LIBRARY}${TRACK_ID}.flac`))
  .digest('hex');
const listeners: Listener[] = [];
const hearing: Promise<Heard | undefined>[] = [];
for await (const listener of joinOneByOne(LISTENERS, SPREAD_MS, {
  tracker: tracker.url,
  origin: origin.url,
  trackId: TRACK_ID,
})) {
  listeners.push(listener);
  hearing.push(
    hear(listener).then(
      (heard) => {
        say(row(heard, published));
        return heard;
      },
      (error: unknown) => {
        console.error(`${listener.name}: ${String(error)}`);
        return undefined;
      },
    ),
  );
}

const overdue = setTimeout(() => {
  console.error('not done in time');
  process.exit(1);
}, ONCE_WITHIN_MS);
const heard = (await Promise.all(hearing)).filter((each) => each !== undefined);
clearTimeout(overdue);

const report = summarise(heard);
if (flags.json === true) console.log(JSON.stringify(report));
else {
  say(
    `\n${report.completed} of ${report.listeners} have the track, ${report.sha256Ok ? 'every file is the published one' : 'NOT every file is the published one'}.`,
  );
  say(
    `The origin sent ${report.originCopies.toFixed(2)} copies for ${report.listeners} listeners; peers gave ${(report.offload * 100).toFixed(0)} %.`,
  );
}
process.exitCode = report.completed === LISTENERS && report.sha256Ok ? 0 : 1;

if (flags.once === true) await stop();
else {
  say(`\nThe listeners go on seeding. Listen with them: ${page.url}\nor join them by`);
  say(
    `  npm run -s swarm -- get ${TRACK_ID} --tracker ${tracker.url} --origin ${origin.url} --aula red --out first-light.flac`,
  );
  say('Ctrl-C ends it.');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
}

/** At the usual port, or at any that is free where another program has it; a run that ends by itself takes any. */
async function atPort<Server>(usual: number, start: (port: number) => Promise<Server>): Promise<Server> {
  if (flags.once === true) return start(0);
  try {
    return await start(usual);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    say(`port ${usual} is in use: another is taken`);
    return start(0);
  }
}

async function stop(): Promise<void> {
  await Promise.all(listeners.map(({ swarm }) => swarm.close()));
  page.close();
  await Promise.all([tracker.close(), origin.close()]);
}

function row({ listener, bytes, ms, sha256 }: Heard, expected: string): string {
  const from = (['aula', 'global', 'origin'] as const).map(
    (tier) => `${tier} ${(bytes[tier] / 1e6).toFixed(1).padStart(4)} MB`,
  );
  const proof = sha256 === expected ? 'identical' : 'DIFFERENT';
  return `${listener.name}  ${listener.aula.padEnd(4)}  ${from.join('  ')}  ${(ms / 1000).toFixed(1).padStart(4)} s  ${proof}`;
}

function summarise(all: readonly Heard[]) {
  const bytes: TierBytes = all.reduce(
    (sum, each) => ({
      cache: sum.cache + each.bytes.cache,
      aula: sum.aula + each.bytes.aula,
      global: sum.global + each.bytes.global,
      origin: sum.origin + each.bytes.origin,
    }),
    { cache: 0, aula: 0, global: 0, origin: 0 },
  );
  const delivered = bytes.cache + bytes.aula + bytes.global + bytes.origin;
  const { audioBytes } = origin.stats();
  const size = delivered / Math.max(1, all.length);
  return {
    listeners: LISTENERS,
    completed: all.length,
    originCopies: Number((audioBytes / Math.max(1, size)).toFixed(3)),
    offload: Number((delivered === 0 ? 0 : 1 - audioBytes / delivered).toFixed(3)),
    bytes,
    sha256Ok: all.length > 0 && all.every(({ sha256 }) => sha256 === published),
    ms: Math.round(performance.now() - begun),
  };
}
