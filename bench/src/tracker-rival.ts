import { execFile } from 'node:child_process';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/** The release that is compared with. */
export const RIVAL_VERSION = '11.2.3';

/**
 * Installs bittorrent-tracker in a folder of its own under the system's temporary folder, without running any
 * of its scripts, unless it is there; answers the URL of a module that exports `Server`. It is never a
 * dependency of ours. Rejects when npm cannot.
 */
export async function installRival(progress: (line: string) => void): Promise<string> {
  const folder = join(tmpdir(), `sonantica-bench-bittorrent-tracker-${RIVAL_VERSION}`);
  const module = join(folder, 'server.mjs');
  const done = await access(module).then(
    () => true,
    () => false,
  );
  if (!done) {
    progress(`Installing bittorrent-tracker ${RIVAL_VERSION} in ${folder}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), '{ "private": true }\n');
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--silent'];
    await promisify(execFile)('npm', ['install', ...flags, `bittorrent-tracker@${RIVAL_VERSION}`], {
      cwd: folder,
    });
    await writeFile(module, "export { default as Server } from 'bittorrent-tracker/server';\n");
  }
  return pathToFileURL(module).href;
}
