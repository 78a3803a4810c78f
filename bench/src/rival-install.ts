import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Misuse } from './failure.ts';

/** Packages of others that are measured beside ours. */
export interface RivalPackages {
  /** The name of the folder. */
  readonly name: string;
  /** Exact releases, by package. */
  readonly dependencies: Readonly<Record<string, string>>;
  /** Releases that others' dependencies are held at, or folders that stand for them: npm's `overrides`. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** Files written beside `package.json`: path → text. */
  readonly files: Readonly<Record<string, string>>;
}

/** Longer than this is no network, in milliseconds. */
const INSTALL_WITHIN_MS = 180_000;

/**
 * Installs packages in a folder of their own in the user's cache, without running any of their scripts, unless they
 * are there; answers the URL of a file in it. They are never dependencies of ours. A folder whose installation was
 * interrupted is made anew. Throws {@link Misuse} when npm cannot install them.
 */
export async function installRivals(
  { name, dependencies, overrides = {}, files }: RivalPackages,
  progress: (line: string) => void,
): Promise<(file: string) => string> {
  const folder = join(cacheFolder(), name);
  const marker = join(folder, 'installed.json');
  const wanted = JSON.stringify({ dependencies, overrides, files });
  const there = await readFile(marker, 'utf8').catch(() => undefined);
  if (there !== wanted) {
    const list = Object.entries(dependencies).map(([each, version]) => `${each} ${version}`);
    progress(`installing ${list.join(', ')} in ${folder}`);
    await rm(folder, { recursive: true, force: true });
    await writeAll(folder, {
      'package.json': JSON.stringify({ private: true, dependencies, overrides }),
      ...files,
    });
    await install(folder, list.join(', '));
    await writeFile(marker, wanted);
  }
  return (file) => pathToFileURL(join(folder, file)).href;
}

async function install(folder: string, list: string): Promise<void> {
  const flags = [
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--fetch-retries=1',
    '--fetch-retry-mintimeout=1000',
  ];
  try {
    await promisify(execFile)('npm', ['install', ...flags], { cwd: folder, timeout: INSTALL_WITHIN_MS });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    const reason = said
      .split('\n')
      .map((line) => line.replace(/^npm error\s*/, ''))
      .find((line) => line !== '' && !/^(code|syscall|errno) /.test(line));
    throw new Misuse(`npm could not install ${list}: ${reason ?? String(error)}`);
  }
}

async function writeAll(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** Where programs keep what they can fetch again: the XDG base directory specification, or `%LOCALAPPDATA%`. */
function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? process.env['LOCALAPPDATA'] ?? join(homedir(), '.cache');
  return join(base, 'sonantica-bench');
}
