import { fork, type ChildProcess } from 'node:child_process';
import type { ChildFailed } from './child-side.ts';

/** A process of the bench that failed, or did not answer. */
export class ChildError extends Error {
  override readonly name = 'ChildError';
}

/** A process that the bench started. It ends with the bench at the latest. */
export class Child<To extends object, From extends { readonly type: string }> {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #gone: Promise<void>;
  readonly #failed: Promise<never>;
  readonly #hearers = new Set<(message: From) => void>();
  #isKilled = false;

  /** `module`: its file's name in this folder, without its ending. `folder` is removed by it should the bench die. */
  constructor(module: string, folder: string, name: string, nodeArguments: readonly string[] = []) {
    const directory = import.meta.url.endsWith('.ts') ? '../../dist/real' : '.';
    const file = new URL(`${directory}/${module}.js`, import.meta.url);
    this.#name = name;
    // A group of its own: a signal to the bench's group is not one to its children, who would leave the folder behind.
    this.#process = fork(file, [folder], {
      serialization: 'advanced',
      execArgv: [...nodeArguments],
      detached: true,
    });
    this.#gone = new Promise((resolve) => this.#process.once('close', () => resolve()));
    this.#failed = new Promise((_, reject) => {
      this.#process.once('error', (error) => reject(new ChildError(`${name}: ${error.message}`)));
      this.#process.once('exit', (code, signal) => {
        if (!this.#isKilled) reject(new ChildError(`${name} ended with ${code ?? signal ?? 'nothing'}`));
      });
      this.#process.on('message', (message: From | ChildFailed) => {
        if (isFailed(message)) reject(new ChildError(`${name}: ${message.message}`));
        else for (const hear of this.#hearers) hear(message);
      });
    });
    this.#failed.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Rejects when the process fails or ends without having been killed; never resolves. */
  get failed(): Promise<never> {
    return this.#failed;
  }

  hear(hearer: (message: From) => void): void {
    this.#hearers.add(hearer);
  }

  tell(message: To): void {
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  /** Tells something and waits for the answer of a type. Rejects with `ChildError` when the process fails or takes too long. */
  async ask<Type extends From['type']>(
    message: To,
    type: Type,
    withinMs = 60_000,
  ): Promise<Extract<From, { type: Type }>> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let hearer: ((message: From) => void) | undefined;
    try {
      return await Promise.race([
        this.#failed,
        new Promise<never>((_, reject) => {
          const late = () => reject(new ChildError(`${this.#name} gave no answer within ${withinMs} ms`));
          timer = setTimeout(late, withinMs);
        }),
        new Promise<Extract<From, { type: Type }>>((resolve) => {
          hearer = (answer) => {
            if (isOfType(answer, type)) resolve(answer);
          };
          this.#hearers.add(hearer);
          this.tell(message);
        }),
      ]);
    } finally {
      clearTimeout(timer);
      if (hearer !== undefined) this.#hearers.delete(hearer);
    }
  }

  /** Ends the process as a crash would; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#isKilled = true;
    this.#process.kill('SIGKILL');
    await this.#gone;
  }
}

function isOfType<From extends { readonly type: string }, Type extends From['type']>(
  message: From,
  type: Type,
): message is Extract<From, { type: Type }> {
  return message.type === type;
}

function isFailed(message: { readonly type: string }): message is ChildFailed {
  return message.type === 'failed';
}
