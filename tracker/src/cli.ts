import { Command, CommanderError, Option } from 'commander';
import { createLog } from './log.ts';
import { packageVersion } from './package-version.ts';
import {
  defaultText,
  describeSetting,
  SETTING_KEYS,
  SettingsError,
  type SettingKey,
  type TrackerSettings,
} from './settings.ts';
import { ENV_PREFIX, flagOf, readSettings, unknownVariables } from './settings-sources.ts';
import { startTracker, type RunningTracker } from './start-tracker.ts';

/** What the command line reads from and writes to. */
export interface CliIo {
  out(text: string): void;
  err(text: string): void;
  /** Resolves when the process is asked to stop. */
  stopped(): Promise<void>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Done, failed, misused. */
export type ExitStatus = 0 | 1 | 2;

/** Runs `sonantica-tracker` with its arguments and answers the exit status when it has ended. */
export async function runCli(args: readonly string[], io: CliIo): Promise<ExitStatus> {
  let status: ExitStatus = 0;
  const command = new Command('sonantica-tracker')
    .description('Registers who holds which chunks, introduces listeners and relays their signals.')
    .option('-c, --config <file>', `JSON file of settings, named as the flags are: maxMemoryMB`)
    .option('--json', 'print events as JSON, one a line')
    .version(packageVersion(), '-V, --version')
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .action(async (options: Readonly<Record<string, unknown>>) => {
      status = await run(options, flags, io);
    });
  const flags = settingOptions(command);
  try {
    await command.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  return status;
}

const HELP = `
Every setting is a flag, an environment variable (${ENV_PREFIX}PORT) and a key of the file (port);
a flag wins over a variable, a variable over the file. A limit of 0 is none. Lists are parted by commas.
Give secrets by file or variable: others on the machine can read flags.`;

/** Adds a flag for every setting; answers the names under which commander keeps their values. */
function settingOptions(command: Command): ReadonlyMap<string, SettingKey> {
  const flags = new Map<string, SettingKey>();
  for (const key of SETTING_KEYS) {
    const fallback = defaultText(key);
    const help = `${describeSetting(key)}${fallback === '' ? '' : ` (${fallback})`}`;
    const short = key === 'port' ? '-p, ' : '';
    const option = new Option(`${short}${flagOf(key)} <${key === 'port' ? 'port' : 'value'}>`, help);
    option.argParser((value: string, before: unknown) =>
      Array.isArray(before) ? [...before, value] : [value],
    );
    command.addOption(option);
    flags.set(option.attributeName(), key);
  }
  return flags;
}

/** The flags that were given, as text; one given twice is a list. */
function typedFlags(
  options: Readonly<Record<string, unknown>>,
  flags: ReadonlyMap<string, SettingKey>,
): Partial<Record<SettingKey, string>> {
  const typed: Partial<Record<SettingKey, string>> = {};
  for (const [name, key] of flags) {
    const given = options[name];
    if (Array.isArray(given)) typed[key] = given.join(',');
  }
  return typed;
}

async function run(
  options: Readonly<Record<string, unknown>>,
  flags: ReadonlyMap<string, SettingKey>,
  io: CliIo,
): Promise<ExitStatus> {
  const { config, json } = options;
  const say = (event: string, text: string, facts: object = {}) =>
    io.out(json === true ? `${JSON.stringify({ event, ...facts })}\n` : `${text}\n`);
  let settings: TrackerSettings | undefined;
  let tracker: RunningTracker;
  try {
    const file = typeof config === 'string' ? config : undefined;
    settings = readSettings({ file, env: io.env, flags: typedFlags(options, flags) });
    const log = createLog(settings.logLevel, (line) => io.err(line));
    for (const variable of unknownVariables(io.env)) log.warn({ variable }, 'no such setting');
    tracker = await startTracker({ ...settings, log });
  } catch (error) {
    if (error instanceof SettingsError) {
      io.err(`error: ${error.message}\n`);
      return 2;
    }
    if (settings === undefined) throw error;
    io.err(`error: ${whyNotListening(error, settings.host, settings.port)}\n`);
    return 1;
  }
  const stopped = io.stopped();
  say('listening', `Tracker listening on ${tracker.url}`, { url: tracker.url, port: tracker.port });
  await stopped;
  await tracker.close();
  say('stopped', 'Tracker stopped');
  return 0;
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
