import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Builds the packages once, for the tests that run their commands, and what browsers load of them. */
export async function setup(): Promise<void> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));
  try {
    const run = (...command: string[]) => promisify(execFile)(process.execPath, command, { cwd: root });
    await run(tsc, '-b', 'tsconfig.build.json');
    await run('scripts/build-browser.mjs');
    await run('node_modules/vite/bin/vite.js', 'build', 'examples/web-player', '--logLevel', 'error');
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    throw new Error(`the build failed\n${output}`, { cause: error });
  }
}
