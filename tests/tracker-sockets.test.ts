import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Garbage stays where it is: nothing is collected between two looks at the heap. */
const FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];
const MAIN = fileURLToPath(new URL('support/socket-bytes-main.mjs', import.meta.url));

function bytesOfASocket(...args: string[]): number {
  return Number(execFileSync(process.execPath, [...FLAGS, MAIN, ...args], { encoding: 'utf8' }));
}

describe('a socket that is made', () => {
  it('leaves half as much on the heap where a tracker runs, by V8 11.3', () => {
    const usual = bytesOfASocket();
    const here = bytesOfASocket('started');
    expect(here).toBeGreaterThan(500);
    expect(here).toBeLessThan(1.1 * usual);
    if (process.versions.v8.startsWith('11.3.')) expect(here).toBeLessThan(usual / 2);
  });
});
