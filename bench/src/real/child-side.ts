import { rmSync } from 'node:fs';
import type { Cost } from './messages.ts';

/** What a failed process says before it ends. */
export interface ChildFailed {
  readonly type: 'failed';
  readonly message: string;
}

/**
 * The side of a process that the bench started: hands over what the bench says, one thing after another, and ends with
 * the bench, however that ends. The bench's folder, the first argument, goes with it.
 */
export function serveBench<To extends object, From extends object>(
  handle: (message: To, tell: (message: From) => void) => Promise<void>,
): void {
  const tell = (message: From | ChildFailed) => {
    if (process.connected) process.send?.(message);
  };
  const folder = process.argv[2];
  // The channel closes when the bench's process is gone, `kill -9` included. Nothing is awaited: a busy library, or one
  // that holds connections, must not outlive it.
  const end = () => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 2 });
    process.kill(process.pid, 'SIGKILL');
  };
  process.on('disconnect', end);
  // It may have gone while this process was still loading: then nobody tells any more.
  if (!process.connected) end();
  // A Ctrl-C at the terminal goes to every process there: the bench decides what comes of it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const fail = (error: unknown) =>
    tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  let last = Promise.resolve();
  process.on('message', (message: To) => {
    last = last.then(() => handle(message, tell)).catch(fail);
  });
}

/** What this process cost so far. */
export function costSoFar(): Cost {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1_000, rssBytes: process.memoryUsage.rss() };
}
