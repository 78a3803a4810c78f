import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { makeFolder } from './support/place.ts';

const PAGE = fileURLToPath(new URL('../docs/benching.md', import.meta.url));
const CLI = fileURLToPath(new URL('../bench/dist/cli.js', import.meta.url));

/** A command of a page, and what the page says that it prints. */
interface Shown {
  readonly command: string;
  readonly printed: readonly string[];
}

/** What is typed and printed in the blocks of a page, in order. */
function shownIn(page: string): Shown[] {
  return [...page.matchAll(/^```\n(\$ .*?)^```$/gms)].flatMap(([, block = '']) =>
    block.split(/^\$ /m).flatMap((part) => {
      const [command = '', ...printed] = part.trim().split('\n');
      return command === '' ? [] : [{ command, printed: printed.filter((line) => line !== '') }];
    }),
  );
}

/** Whether a command prints the same anywhere: what it runs is virtual, or refused before it begins. */
function isSure({ command, printed }: Shown): boolean {
  const isRefused = printed.length === 1 && printed[0]?.startsWith('error: ') === true;
  return (
    command.startsWith('npm run -s bench -- swarm') &&
    (!command.includes('--runtime real') || (isRefused && !command.includes('--peers 5000')))
  );
}

const shown = shownIn(readFileSync(PAGE, 'utf8'));
const files = shown.flatMap(({ command, printed }) => {
  const [, name] = /^cat (\S+)$/.exec(command) ?? [];
  return name === undefined ? [] : [{ name, text: printed.join('\n') }];
});

describe('docs/benching.md', () => {
  it('shows commands that print the same anywhere', () => {
    expect(shown.filter(isSure).length).toBeGreaterThanOrEqual(6);
    expect(files).toHaveLength(1);
  });

  it.each(shown.filter(isSure))('tells the truth of $command', async ({ command, printed }) => {
    const folder = await makeFolder();
    for (const { name, text } of files) writeFileSync(join(folder, name), text);
    const args = [...command.replace('npm run -s bench -- ', '').matchAll(/'([^']*)'|(\S+)/g)].map(
      ([, quoted, plain]) => quoted ?? plain ?? '',
    );
    const { stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { cwd: folder, encoding: 'utf8' });
    // What is told while it lasts depends on how long it takes.
    const said = `${stdout}\n${stderr}`.split('\n').filter((line) => line !== '' && !/^\d+ s {2}/.test(line));
    expect(said).toEqual(printed);
  });
});
