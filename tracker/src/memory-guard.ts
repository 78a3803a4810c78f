import { getHeapStatistics } from 'node:v8';

/** How much room there is: enough, too little for new members, too little for new sockets. */
export type MemoryState = 'ample' | 'short' | 'exhausted';

const SHORT_FROM = 0.8;
const EXHAUSTED_FROM = 0.95;
/** From here on memory is looked at more often, in milliseconds. */
const NEARLY_SHORT_FROM = 0.6;
const LOOK_EVERY_MS = 100;
const LOOK_CLOSELY_MS = 20;
const BYTES_PER_MB = 1_000_000;

/** What is measured, in bytes. */
export interface MemoryUse {
  /** Resident memory of the process. */
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Buffers and the like, which the heap refers to. */
  readonly externalBytes: number;
  /** Where the engine itself would end the process. */
  readonly heapLimitBytes: number;
}

/** What a process takes beside its heap: the program itself and the engine. */
const PROGRAM_BYTES = 64 * BYTES_PER_MB;

let lastResidentBytes = 0;

/** Resident memory of this process; what it last was, where no file is left to look with. */
function residentBytes(): number {
  try {
    lastResidentBytes = process.memoryUsage.rss();
  } catch (error) {
    if (!isOutOfFiles(error)) throw error;
  }
  return lastResidentBytes;
}

function isOutOfFiles(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE');
}

/** Measures this process. */
export function measureMemory(): MemoryUse {
  const heap = getHeapStatistics();
  return {
    residentBytes: residentBytes(),
    heapBytes: heap.used_heap_size,
    externalBytes: heap.external_memory,
    heapLimitBytes: heap.heap_size_limit,
  };
}

/**
 * How much room is left of `maxMemoryMB` (0: no limit) and of what the engine allows itself. Resident memory
 * that the engine holds empty counts as room: it is slow to give it back, and uses it before it asks for more. Beyond
 * the limit itself it is short all the same.
 */
export function memoryState(use: MemoryUse, maxMemoryMB: number): MemoryState {
  const share = shareOf(use, maxMemoryMB);
  if (share > EXHAUSTED_FROM) return 'exhausted';
  const isOver = maxMemoryMB !== 0 && use.residentBytes > maxMemoryMB * BYTES_PER_MB;
  return share > SHORT_FROM || isOver ? 'short' : 'ample';
}

/** When to look again, in milliseconds: a flood that is served fast fills the last of the room in a tenth of a second. */
export function lookAgainMs(use: MemoryUse, maxMemoryMB: number): number {
  return shareOf(use, maxMemoryMB) > NEARLY_SHORT_FROM ? LOOK_CLOSELY_MS : LOOK_EVERY_MS;
}

function shareOf(use: MemoryUse, maxMemoryMB: number): number {
  const { residentBytes, heapBytes, externalBytes, heapLimitBytes } = use;
  const usedBytes = Math.min(residentBytes, heapBytes + externalBytes + PROGRAM_BYTES);
  const ofLimit = maxMemoryMB === 0 ? 0 : usedBytes / (maxMemoryMB * BYTES_PER_MB);
  return Math.max(ofLimit, heapBytes / heapLimitBytes);
}
