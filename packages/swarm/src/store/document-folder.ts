import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkDocumentName, documentJson } from './arguments.ts';
import { systemCode } from './store-error.ts';
import { writeWholeFile } from './whole-file.ts';

/** Small JSON documents in a folder, a file each. Throws what `node:fs` throws, and `invalid-argument`. */
export class DocumentFolder {
  readonly #path: string;
  readonly #writes = new Map<string, Promise<void>>();

  constructor(path: string) {
    this.#path = path;
  }

  /** A document as it was put last; `undefined` where there is none, `null` where it is damaged. */
  async get(name: string): Promise<unknown> {
    checkDocumentName(name);
    await this.#writes.get(name);
    try {
      return JSON.parse(await readFile(this.#pathOf(name), 'utf8'));
    } catch (error) {
      if (error instanceof SyntaxError) return null;
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Atomic, and durable once resolved. */
  put(name: string, value: unknown): Promise<void> {
    const json = documentJson(name, value);
    const before = this.#writes.get(name) ?? Promise.resolve();
    const write = before.then(() => writeWholeFile(this.#pathOf(name), json, { durable: true }));
    // Whoever put it hears of a failure; the next put does not.
    const settled = write.catch(() => undefined);
    this.#writes.set(name, settled);
    return write;
  }

  #pathOf(name: string): string {
    return join(this.#path, `${name}.json`);
  }
}
