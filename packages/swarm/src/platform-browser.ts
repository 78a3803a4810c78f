import { SwarmError } from './errors.ts';
import type { Platform } from './platform.ts';
import { SpentMemory } from './spent-memory.ts';
import { openMemoryStore } from './store/memory-store.ts';
import { openLateStore } from './store/late-store.ts';
import { openIndexedDbStore } from './store/open-indexeddb-store.ts';
import { createWebHasher } from './verify/sha256-web.ts';

const memory = /* @__PURE__ */ new SpentMemory();

export const platform: Platform = {
  hasher: createWebHasher(),
  // For pages that name publishers; the rest need not load it.
  verifySignature: async (...signed) =>
    (await import('./verify/signature-web.ts')).webVerifySignature(...signed),
  openWebSocket: (url, protocol) => new WebSocket(url, protocol),
  log: (line) => {
    if (isDebugged) console.debug(`sonantica:swarm ${line}`);
  },
  spent: memory.spent,
  // A page has a player's buffers beside it, and reads from its database soon enough.
  storedInMemoryBytes: 16 * 1024 * 1024,
  // Without a database nothing was ever kept: then there is nothing to be missed.
  openStore: () => (hasDatabases() ? openLateStore(openIndexedDbStore) : openMemoryStore()),
  watchPage: ({ left, returned }) => {
    // Workers have no page to be left.
    if (typeof document === 'undefined') return () => undefined;
    const stop = new AbortController();
    const { signal } = stop;
    addEventListener('pagehide', left, { signal });
    addEventListener('pageshow', ({ persisted }) => persisted && returned(), { signal });
    return () => stop.abort();
  },
  loadRtc: async () => {
    if (typeof RTCPeerConnection === 'undefined')
      throw new SwarmError('rtc-unavailable', 'this browser has no WebRTC');
    return { name: 'browser', RTCPeerConnection };
  },
};

function hasDatabases(): boolean {
  try {
    return typeof indexedDB !== 'undefined';
  } catch {
    // The listener forbids it: something may have been kept before.
    return true;
  }
}

const isDebugged = /* @__PURE__ */ readsDebug();

function readsDebug(): boolean {
  try {
    return /(^|[\s,])(\*|sonantica)/.test(localStorage.getItem('debug') ?? '');
  } catch {
    // No storage: a worker, or a page that may keep nothing.
    return false;
  }
}
