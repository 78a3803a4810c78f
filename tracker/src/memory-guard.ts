import { getHeapStatistics } from 'node:v8';

/** How much room there is: enough, too little for new swarms, too little for new sockets. */
export type MemoryState = 'ample' | 'short' | 'exhausted';

const SHORT_FROM = 0.8;
const EXHAUSTED_FROM = 0.95;
const BYTES_PER_MB = 1_000_000;

/** What is measured, in bytes. */
export interface MemoryUse {
  /** Resident memory of the process. */
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Where the engine itself would end the process. */
  readonly heapLimitBytes: number;
}

/** Measures this process. */
export function measureMemory(): MemoryUse {
  const { used_heap_size: heapBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics();
  return { residentBytes: process.memoryUsage.rss(), heapBytes, heapLimitBytes };
}

/** How much room is left of `maxMemoryMB` (0: no limit) and of what the engine allows itself. */
export function memoryState(use: MemoryUse, maxMemoryMB: number): MemoryState {
  const { residentBytes, heapBytes, heapLimitBytes } = use;
  const ofLimit = maxMemoryMB === 0 ? 0 : residentBytes / (maxMemoryMB * BYTES_PER_MB);
  const share = Math.max(ofLimit, heapBytes / heapLimitBytes);
  if (share > EXHAUSTED_FROM) return 'exhausted';
  return share > SHORT_FROM ? 'short' : 'ample';
}
