import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { lookAgainMs, measureMemory, memoryState, type MemoryState, type MemoryUse } from './memory-guard.ts';

/** What {@link MemoryWatch} looks with. */
export interface MemoryRules {
  /** In megabytes; 0: no limit but the engine's own. */
  readonly maxMemoryMB: number;
  nowMs(): number;
  measure(): MemoryUse;
  /** Frees what nothing refers to any more, before it returns. */
  collect(): void;
}

/** What a look at memory found. */
export interface MemoryLook {
  readonly state: MemoryState;
  /** When to look again, in milliseconds. */
  readonly againMs: number;
}

/** Time between two collections that the watch asks for, at least, in milliseconds. */
const COLLECT_EVERY_MS = 2_000;
/** The same, as so many times what the last one took: nobody is heard meanwhile. */
const COLLECT_APART = 50;

/**
 * Looks at memory and says how much room there is. What counts is what is really used: buffers of sockets that closed
 * count until they are collected, and a tracker that has little to do collects nothing for minutes. So before it
 * says that memory is short, it has it collected and looks again.
 */
export class MemoryWatch {
  readonly #rules: MemoryRules;
  #collectFromMs = Number.NEGATIVE_INFINITY;

  constructor(rules: MemoryRules) {
    this.#rules = rules;
  }

  look(): MemoryLook {
    const { maxMemoryMB } = this.#rules;
    let use = this.#rules.measure();
    if (memoryState(use, maxMemoryMB) !== 'ample' && this.#collects()) use = this.#rules.measure();
    return { state: memoryState(use, maxMemoryMB), againMs: lookAgainMs(use, maxMemoryMB) };
  }

  /** Has memory collected, unless that was done of late. */
  #collects(): boolean {
    const beganMs = this.#rules.nowMs();
    if (beganMs < this.#collectFromMs) return false;
    this.#rules.collect();
    const endedMs = this.#rules.nowMs();
    this.#collectFromMs = endedMs + Math.max(COLLECT_EVERY_MS, COLLECT_APART * (endedMs - beganMs));
    return true;
  }
}

/** Watches this process. */
export function watchMemory(maxMemoryMB: number): MemoryWatch {
  return new MemoryWatch({
    maxMemoryMB,
    nowMs: () => performance.now(),
    measure: measureMemory,
    collect: collectGarbage,
  });
}

let collector: (() => void) | undefined;

/** Has the engine collect all it can. Does nothing where the engine keeps its collector to itself. */
export function collectGarbage(): void {
  collector ??= engineCollector();
  collector();
  // Buffers are freed beside the first, and count until the next one has waited for that.
  collector();
}

/** A fresh context has the function that the flag gives, without the program having been started with it. */
function engineCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const found: unknown = runInNewContext('globalThis.gc');
  return typeof found === 'function' ? () => void found() : () => {};
}
