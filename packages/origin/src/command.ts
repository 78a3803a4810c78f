import { readFile, stat } from 'node:fs/promises';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { isChunkSize, LIMITS, type TrackId } from '@sonantica/wire';
import { OriginError, systemCode } from './errors.ts';
import { createPublisherKey, readPublisherKey, type PublisherKey } from './publisher-key.ts';
import { startOrigin } from './serve.ts';
import { staticTrackIds, writeStaticManifest } from './static-manifest.ts';

/** What the command touches of the process it runs in. */
export interface CommandEnvironment {
  /** Takes results, text as it is. */
  readonly out: (text: string) => void;
  /** Takes messages to the person at the terminal, text as it is. */
  readonly err: (text: string) => void;
  /** Aborted when the command should end, as by SIGTERM. */
  readonly signal: AbortSignal;
}

/** Exit statuses: done, failed, misused. */
const DONE = 0;
const FAILED = 1;
const MISUSED = 2;

/** Thrown for arguments that make no sense; ends with status 2. */
class MisuseError extends Error {
  override readonly name = 'MisuseError';
}

interface ServeFlags {
  readonly port: number;
  readonly host: string;
  readonly cache?: string;
  readonly sign?: string;
}

interface ManifestFlags {
  readonly out?: string;
  readonly chunkSize: number;
  readonly sign?: string;
  readonly json?: true;
}

/**
 * Runs `sonantica-origin` with these arguments (without the program's name) and answers its exit status:
 * 0 done, 1 failed, 2 misused. Failures are told in one line.
 */
export async function runCommand(args: readonly string[], environment: CommandEnvironment): Promise<number> {
  const program = await createProgram(environment);
  try {
    await program.parseAsync(args, { from: 'user' });
    return DONE;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return DONE;
      // Commander has already written its line, except where a command is missing.
      if (error.code === 'commander.help')
        environment.err('error: say what to do: serve, manifest or keygen\n');
      return MISUSED;
    }
    environment.err(`error: ${describe(error)}\n`);
    return error instanceof MisuseError ? MISUSED : FAILED;
  }
}

async function createProgram({ out, err, signal }: CommandEnvironment): Promise<Command> {
  const program = new Command('sonantica-origin')
    .description('Serves a music folder to Sonántica listeners, or prepares it for any static server.')
    .version(await packageVersion())
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: out, writeErr: (text) => (isHelp(text) ? undefined : err(text)) });

  program
    .command('serve')
    .description('serve a folder of .flac .wav .m4a .opus .ogg .mp3 files, subfolders included')
    .argument('<dir>', 'the folder')
    .option('--port <number>', 'port to listen on; 0 takes any free one', parsePort, 7001)
    .option('--host <address>', 'address to listen on; 0.0.0.0 for every network', '127.0.0.1')
    .option('--cache <dir>', 'where manifests are kept (default: .sonantica in the folder)')
    .option('--sign <key>', 'sign manifests with this private key (see keygen)')
    .action(async (dir: string, flags: ServeFlags) => {
      await requireFolder(dir);
      const publisherKey = await readKey(flags.sign);
      const origin = await startOrigin({
        dir,
        port: flags.port,
        host: flags.host,
        ...(flags.cache === undefined ? {} : { cacheDir: flags.cache }),
        ...(publisherKey === undefined ? {} : { publisherKey }),
        log: (line) => err(`${line}\n`),
      });
      out(`serving ${dir} at ${origin.url}\n`);
      const count = await origin.trackCount();
      if (count === 0) err(`there is no track in ${dir} yet: what is put there is served\n`);
      else out(`${count === 1 ? 'one track' : `${count} tracks`}, listed at ${origin.url}/\n`);
      await aborted(signal);
      await origin.close();
    });

  program
    .command('manifest')
    .description('write <trackId>.manifest.json and <trackId>.leaves for a static server or a CDN')
    .argument('<file...>', 'audio files')
    .option('--out <dir>', 'where to write (default: beside each file)')
    .option(
      '--chunk-size <bytes>',
      'bytes of a chunk: 131072, 262144, 524288 or 1048576',
      parseChunkSize,
      LIMITS.defaultChunkBytes,
    )
    .option('--sign <key>', 'sign with this private key (see keygen)')
    .option('--json', 'print the manifests, one a line')
    .action(async (files: string[], flags: ManifestFlags) => {
      const publisherKey = await readKey(flags.sign);
      for (const file of files) await requireFile(file);
      for (const [file, trackId] of idsOf(files)) {
        const written = await naming(
          file,
          writeStaticManifest(file, trackId, {
            chunkSize: flags.chunkSize,
            ...(flags.out === undefined ? {} : { outDir: flags.out }),
            ...(publisherKey === undefined ? {} : { publisherKey }),
          }),
        );
        out(flags.json ? `${JSON.stringify(written.manifest)}\n` : `${trackId}  ${written.manifestPath}\n`);
        if (!written.reachesAudio) err(`copy ${file} beside ${written.manifestPath}\n`);
      }
    });

  program
    .command('keygen')
    .description('make a publisher key; prints the public half, for the publisherKeys of listeners')
    .option('--out <file>', 'where to write the private half', 'publisher-key.pem')
    .action(async ({ out: file }: { readonly out: string }) => {
      const key = await createPublisherKey(file);
      out(`${key.publicKey}\n`);
      err(`the private key is in ${file}; keep it to yourself\n`);
    });

  return program;
}

/** Commander prints the whole help where the command is missing; one line says it better. */
function isHelp(text: string): boolean {
  return text.startsWith('Usage:');
}

async function packageVersion(): Promise<string> {
  const json: unknown = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));
  const version = typeof json === 'object' && json !== null && 'version' in json ? json.version : undefined;
  return String(version);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('a port is a number from 0 to 65535.');
}

function parseChunkSize(text: string): number {
  const bytes = Number(text);
  if (isChunkSize(bytes)) return bytes;
  throw new InvalidArgumentError(`one of 131072, 262144, 524288, 1048576 is expected.`);
}

async function readKey(path: string | undefined): Promise<PublisherKey | undefined> {
  if (path === undefined) return undefined;
  await requireFile(path);
  try {
    return await readPublisherKey(path);
  } catch (error) {
    if (error instanceof OriginError) throw new MisuseError(error.message, { cause: error });
    throw error;
  }
}

function idsOf(files: readonly string[]): Map<string, TrackId> {
  try {
    return staticTrackIds(files);
  } catch (error) {
    if (error instanceof OriginError) throw new MisuseError(error.message, { cause: error });
    throw error;
  }
}

/** Lets a failure say of which file it speaks. */
async function naming<Result>(file: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof OriginError)
      throw new OriginError(error.code, `${file}: ${error.message}`, { cause: error });
    throw error;
  }
}

async function requireFolder(path: string): Promise<void> {
  const stats = await statNamed(path);
  if (!stats.isDirectory()) throw new MisuseError(`${path} is not a folder`);
}

async function requireFile(path: string): Promise<void> {
  const stats = await statNamed(path);
  if (!stats.isFile()) throw new MisuseError(`${path} is not a file`);
}

async function statNamed(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new MisuseError(`there is no ${path}`, { cause: error });
    throw error;
  }
}

const SYSTEM_MESSAGES: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  EEXIST: 'it exists already and is not overwritten',
  ENOSPC: 'the disk is full',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  ENOTFOUND: 'there is no such host',
  EROFS: 'the file system is read-only',
};

/** One line for a person. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = error instanceof OriginError ? undefined : systemCode(error);
  if (code === undefined) return error.message.replace(/\s+/g, ' ');
  const where = ['path', 'address', 'hostname', 'port'].flatMap((key) => {
    const value: unknown = Object.entries(error).find(([name]) => name === key)?.[1];
    return value === undefined ? [] : [String(value)];
  });
  return [where.join(':'), SYSTEM_MESSAGES[code] ?? error.message].filter(Boolean).join(': ');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
