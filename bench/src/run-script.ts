import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { lineOf, Misuse } from './failure.ts';

const inSource = import.meta.url.endsWith('.ts');
const built = (name: string) => new URL(inSource ? `../dist/${name}` : `./${name}`, import.meta.url);

/** The bench's own command line. */
export const BENCH = fileURLToPath(built('cli.js'));
/** What Node is told so that a process that was forked ends with the one that forked it. */
export const ENDS_WITH_PARENT = ['--import', built('end-with-parent.js').href] as const;

/**
 * Runs a script of this project in a process of its own that ends with this one; answers what it prints. A script that
 * ends with status 1 has printed too. Rejects with its last line where it did not: {@link Misuse} for status 2.
 */
export function outputOf(script: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = fork(script, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [...ENDS_WITH_PARENT],
    });
    let printed = '';
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (printed += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)));
    child.once('error', reject);
    child.once('close', (status, signal) => {
      if (status === 0 || (status === 1 && printed !== '')) return resolve(printed);
      const line = said.trimEnd().split('\n').at(-1) || `it ended with ${status ?? signal}`;
      reject(status === 2 ? new Misuse(line) : new Error(line));
    });
  });
}

/** What a script prints, as JSON. */
export async function jsonOf(script: string, args: readonly string[]): Promise<unknown> {
  const text = await outputOf(script, args);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`it printed no JSON: ${lineOf(error)}`);
  }
}
