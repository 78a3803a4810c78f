#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { SwarmError } from '../errors.ts';
import { amount, EXIT, httpUrls, publisherKeys, token, webSocketUrls } from './arguments.ts';
import { get, type GetFlags } from './get.ts';
import { seed, type SeedFlags } from './seed.ts';
import { flushed, isBrokenPipe, outputError } from './standard-output.ts';
import { stopOnSignal } from './stop-signals.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const stop = new AbortController();
stopOnSignal(stop, process);
/** What became of standard output. */
let outputFailure: unknown;
process.stdout.on('error', (error) => {
  outputFailure ??= error;
  stop.abort(error);
});
// Who closed it does not listen.
process.stderr.on('error', () => undefined);

const rtcOption = () => new Option('--rtc <stack>', 'WebRTC implementation').choices(['wrtc', 'werift']);
const tokenOption = () =>
  new Option('--token <jwt>', 'token for a tracker that asks for one; others on this machine can read it')
    .argParser(token)
    .conflicts('tokenFile');
const tokenFileOption = () =>
  new Option(
    '--token-file <path>',
    'file with the token; read anew at each connection, so it can be renewed',
  );

const program = new Command('sonantica-swarm')
  .description('Fetch and give on lossless music, listener to listener.')
  .version(version)
  .exitOverride();

program
  .command('get')
  .description('fetch a track from peers and the origin, prove it, and write it out')
  .argument('<trackId>', 'as the origin names it')
  .option(
    '--tracker <url>',
    'tracker to meet peers through; repeat for others to turn to when it fails',
    webSocketUrls,
  )
  .requiredOption('--origin <url>', 'where the track is published; repeat for mirrors', httpUrls)
  .option('--aula <id>', 'listening room whose members are asked first')
  .option(
    '--out <file>',
    'write the track here; a file appears when it is whole, a pipe or device is written into; - is standard output',
  )
  .option(
    '--store <dir>',
    'keep chunks, the day’s upload and the choice here (default: chunks in memory, the rest in the user’s state folder)',
  )
  .option('--stay', 'go on seeding until stopped')
  .option('--server-only', 'this time the origin and what is kept: no peers, no tracker')
  .option('--publisher-key <base64>', 'believe only manifests signed by this key; repeatable', publisherKeys)
  .addOption(tokenOption())
  .addOption(tokenFileOption())
  .addOption(rtcOption())
  .option('--json', 'print the result as JSON')
  .action((trackId: string, flags: GetFlags) => get(trackId, flags, stop.signal));

program
  .command('seed')
  .description('give on files as they lie')
  .argument('<path...>', 'files or folders')
  .requiredOption(
    '--tracker <url>',
    'tracker to be found through; repeat for others to turn to when it fails',
    webSocketUrls,
  )
  .option(
    '--origin <url>',
    'take track ids and manifests from this origin where it has the same bytes',
    httpUrls,
  )
  .option('--aula <id>', 'listening room to join')
  .option('--track-id <id>', 'name a single file (default: by its name, as an origin does)')
  .option(
    '--store <dir>',
    'give on what is kept here too; the day’s upload and the choice lie here (default: the user’s state folder)',
  )
  .option(
    '--upload-mb-per-day <n>',
    'upload limit in megabytes, this time (default: the choice, else 500)',
    amount,
  )
  .addOption(tokenOption())
  .addOption(tokenFileOption())
  .addOption(rtcOption())
  .option('--json', 'print one JSON object a file')
  .action((paths: string[], flags: SeedFlags) => seed(paths, flags, stop.signal));

const failure = await program.parseAsync().then(
  () => undefined,
  (error: unknown) => ({ error }),
);
await flushed(process.stdout, stop.signal);
const status = outputFailure === undefined ? statusOf(failure) : statusOf({ error: outputFailure });
await flushed(process.stderr, stop.signal);
// The swarm is closed, and what WebRTC has left open keeps nobody waiting.
process.exit(status);

/** One clear line, and the exit status. */
function statusOf(failed: { readonly error: unknown } | undefined): number {
  if (failed === undefined) return EXIT.done;
  const { error } = failed;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.misused;
  if (isBrokenPipe(error)) return EXIT.brokenPipe;
  if (error === outputFailure) return told(outputError(error));
  return stop.signal.aborted ? EXIT.failed : told(error);
}

function told(error: unknown): number {
  const isOurs = error instanceof SwarmError;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`sonantica-swarm: ${isOurs ? `${error.code}: ` : ''}${message}\n`);
  return isOurs && error.code === 'invalid-argument' ? EXIT.misused : EXIT.failed;
}
