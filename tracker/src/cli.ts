import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { DEFAULT_CONFIG, parsePort } from './config.ts';
import { startTracker } from './start-tracker.ts';

/** What the command line reads from and writes to. */
export interface CliIo {
  out(text: string): void;
  err(text: string): void;
  /** Resolves when the process is asked to stop. */
  stopped(): Promise<void>;
}

/** Done, failed, misused. */
export type ExitStatus = 0 | 1 | 2;

/** Runs `sonantica-tracker` with its arguments and answers the exit status when it has ended. */
export async function runCli(args: readonly string[], io: CliIo): Promise<ExitStatus> {
  let status: ExitStatus = 0;
  const command = new Command('sonantica-tracker')
    .description('Registers who holds which chunks, introduces listeners and relays their signals.')
    .option('-p, --port <port>', 'TCP port; 0 takes a free one', readPort, DEFAULT_CONFIG.port)
    .option('--host <host>', 'address to listen on', DEFAULT_CONFIG.host)
    .option('--json', 'print events as JSON, one a line')
    .version(packageVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .action(async (options: { port: number; host: string; json?: true }) => {
      status = await run(options, io);
    });
  try {
    await command.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  return status;
}

async function run(
  { port, host, json }: { port: number; host: string; json?: true },
  io: CliIo,
): Promise<ExitStatus> {
  const say = (event: string, text: string, facts: object = {}) =>
    io.out(json ? `${JSON.stringify({ event, ...facts })}\n` : `${text}\n`);
  let tracker;
  try {
    tracker = await startTracker({ port, host });
  } catch (error) {
    io.err(`error: ${whyNotListening(error, host, port)}\n`);
    return 1;
  }
  const stopped = io.stopped();
  say('listening', `Tracker listening on ${tracker.url}`, { url: tracker.url, port: tracker.port });
  await stopped;
  await tracker.close();
  say('stopped', 'Tracker stopped');
  return 0;
}

function readPort(text: string): number {
  const port = parsePort(text);
  if (port === undefined) throw new InvalidArgumentError('A port is a whole number from 0 to 65535.');
  return port;
}

function whyNotListening(error: unknown, host: string, port: number): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `port ${port} on ${host} is in use`;
  if (code === 'EACCES') return `port ${port} on ${host} needs more rights`;
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `${host} is no address of this machine`;
  }
  return error instanceof Error ? error.message : String(error);
}

function packageVersion(): string {
  const json: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const version = typeof json === 'object' && json !== null && 'version' in json ? json.version : undefined;
  return typeof version === 'string' ? version : '0.0.0';
}
