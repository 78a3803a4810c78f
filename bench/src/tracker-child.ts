import { fork, type ChildProcess } from 'node:child_process';
import type { Failed } from './tracker-messages.ts';

/** Anything slower than this is a failure of the measurement, in milliseconds. */
const PATIENCE_MS = 60_000;
/** A process ends by itself after this time, whatever became of the one that started it. */
const LIFETIME_MS = 240_000;

/** A process of the bench's own, that answers what it is asked. It ends with this process at the latest. */
export class BenchChild<To extends object, From extends { readonly type: string }> {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;

  /** `name`: the module's, without its ending. `arguments` are those of Node itself. */
  constructor(name: string, nodeArguments: readonly string[] = []) {
    const inSource = import.meta.url.endsWith('.ts');
    const file = new URL(`${inSource ? '../dist' : '.'}/${name}.js`, import.meta.url);
    this.#process = fork(file, { serialization: 'json', execArgv: [...nodeArguments] });
    // Whoever asks is told; unheard, it would end the bench.
    this.#process.on('error', () => undefined);
    this.#ended = new Promise((resolve) => this.#process.once('close', () => resolve()));
  }

  /** `undefined` when it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Tells something and waits for the answer. Rejects when the process fails, ends or takes longer: a minute. */
  ask<Type extends From['type']>(
    message: To,
    type: Type,
    withinMs = PATIENCE_MS,
  ): Promise<Extract<From, { type: Type }>> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer);
        this.#process.off('message', hear);
        this.#process.off('exit', ended);
        settle();
      };
      const hear = (answer: From | Failed) => {
        if (isOfType<From, Type>(answer, type)) done(() => resolve(answer));
        else if (isFailed(answer)) done(() => reject(new Error(answer.message)));
      };
      const ended = (code: number | null) =>
        done(() => reject(new Error(`a process of the bench ended with ${code ?? 'a signal'}`)));
      const timer = setTimeout(
        () => done(() => reject(new Error(`no answer within ${withinMs} ms`))),
        withinMs,
      );
      this.#process.on('message', hear);
      this.#process.once('exit', ended);
      this.#process.send(message, (error) => {
        if (error !== null) done(() => reject(new Error(`a process of the bench is gone: ${error.message}`)));
      });
    });
  }

  /** Ends the process as a crash would; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

/**
 * The other side: answers what the bench asks, one at a time, and ends this process when the bench's is gone,
 * or after four minutes.
 */
export function answer<To extends object, From extends object>(handle: (message: To) => Promise<From>): void {
  const tell = (message: From | Failed) => void process.send?.(message);
  process.on('disconnect', () => process.exit());
  setTimeout(() => process.exit(1), LIFETIME_MS).unref();
  process.on('message', (message: To) => {
    handle(message).then(tell, (error: unknown) =>
      tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) }),
    );
  });
}

function isOfType<From extends { readonly type: string }, Type extends From['type']>(
  message: From | Failed,
  type: Type,
): message is Extract<From, { type: Type }> {
  return message.type === type;
}

function isFailed(message: { readonly type: string }): message is Failed {
  return message.type === 'failed';
}
