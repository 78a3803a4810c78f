import { buildManifest, type RootHash, type TrackId } from '@sonantica/wire';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemEnvironment, type Environment } from './environment.ts';
import { Network } from './network.ts';
import type { PageWatcher } from './platform.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import { openLateStore } from './store/late-store.ts';
import { openMemoryStore } from './store/memory-store.ts';
import { Swarm } from './swarm.ts';
import { nodeHasher } from './verify/sha256-node.ts';

/** A swarm in a page, what it tells, and how many sockets it opened. */
function inPage(store: ChunkStore, beside: Partial<Environment> = {}) {
  let sockets = 0;
  let watcher: PageWatcher | undefined;
  const environment: Environment = {
    ...systemEnvironment,
    ...beside,
    openStore: () => store,
    watchPage: (given) => {
      watcher = given;
      return () => undefined;
    },
    openWebSocket: () => {
      sockets++;
      const silent = { readyState: 0, send: () => undefined, close: () => undefined };
      return { ...silent, addEventListener: () => undefined };
    },
    network: () => Promise.resolve(Network),
    links: () =>
      Promise.resolve({
        maxWindowBytes: 1_000_000,
        connector: () => ({
          has: () => false,
          connect: () => undefined,
          signal: () => undefined,
          abandon: () => undefined,
          giveWay: () => undefined,
          close: () => Promise.resolve(),
        }),
      }),
  };
  const swarm = new Swarm({ tracker: 'wss://tracker.example', logger: () => undefined }, environment);
  onTestFinished(() => swarm.close());
  const told: unknown[] = [];
  swarm.on('storage', ({ reason }) => told.push(reason));
  swarm.on('contribution', ({ p2pEnabled }) => told.push(p2pEnabled));
  return { swarm, told, page: () => watcher, sockets: () => sockets };
}

/** Lets the network start, were it to. */
async function aWhile(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('a listener’s choice', () => {
  it('is known before any socket opens, also when the page is returned to meanwhile', async () => {
    const kept = openMemoryStore();
    await kept.putDocument('contribution', { p2pEnabled: false });
    let open: (store: ChunkStore) => void = () => undefined;
    const { swarm, page, sockets } = inPage(openLateStore(() => new Promise((resolve) => (open = resolve))));
    page()?.left();
    page()?.returned();
    await aWhile();
    expect(sockets()).toBe(0);
    open(kept);
    await swarm.ready();
    await aWhile();
    expect([sockets(), swarm.contribution.p2pEnabled]).toEqual([0, false]);
  });

  it('to take part is taken up again when the page is returned to', async () => {
    const { swarm, page, sockets } = inPage(openMemoryStore());
    await swarm.ready();
    await aWhile();
    expect(sockets()).toBe(1);
    page()?.left();
    page()?.returned();
    await aWhile();
    expect(sockets()).toBe(2);
  });

  it('to take no part is obeyed before what is kept has been looked at', async () => {
    const kept = openMemoryStore();
    const manifest = await buildManifest(
      {
        trackId: 'song' as TrackId,
        size: 262_154,
        chunkSize: 262_144,
        mime: 'audio/flac',
        sha256: '00'.repeat(32),
        chunkHashes: [new Uint8Array(32), new Uint8Array(32)],
      },
      nodeHasher,
    );
    const key = { trackId: 'song' as TrackId, root: manifest.root as RootHash };
    await kept.putManifest(key, manifest);
    await kept.putChunk(key, 1, new Uint8Array(10));
    let hash: () => void = () => undefined;
    const hashing = new Promise<void>((resolve) => (hash = resolve));
    const { swarm, sockets } = inPage(kept, {
      hasher: async (bytes) => {
        await hashing;
        return nodeHasher(bytes);
      },
    });
    await swarm.setContribution({ p2pEnabled: false });
    await aWhile();
    expect([sockets(), swarm.contribution.p2pEnabled, swarm.stats().tracks]).toEqual([0, false, 0]);
    hash();
    await aWhile();
    expect([sockets(), swarm.stats().tracks]).toEqual([0, 1]);
  });

  it('that is out of reach is not taken for yes until the listener chooses', async () => {
    const { swarm, told, sockets } = inPage(openLateStore(() => Promise.reject(new Error('damaged'))));
    await swarm.ready();
    await aWhile();
    expect([sockets(), told]).toEqual([0, ['store-failed', false]]);
    expect(swarm.contribution).toMatchObject({ p2pEnabled: false, maxStorageGB: 2 });
    await swarm.setContribution({ p2pEnabled: true });
    await aWhile();
    expect(sockets()).toBe(1);
  });

  it.each([[{ p2pEnabled: 'maybe' }], [{ p2pEnabled: false, maxStorageGB: -1 }], [[]], ['no'], [null]])(
    'that makes no sense is not taken for yes, and makes room for a new one: %j',
    async (document) => {
      const store = openMemoryStore();
      await store.putDocument('contribution', document);
      const { swarm, told, sockets } = inPage(store);
      await swarm.ready();
      await aWhile();
      expect([sockets(), told]).toEqual([0, ['store-failed', false]]);
      expect(swarm.contribution).toMatchObject({ p2pEnabled: false, maxStorageGB: 2 });
      await swarm.setContribution({ maxStorageGB: 1 });
      await aWhile();
      expect(sockets()).toBe(0);
      await swarm.setContribution({ p2pEnabled: true });
      await aWhile();
      expect(sockets()).toBe(1);
      expect(await store.getDocument('contribution')).toMatchObject({ p2pEnabled: true, maxStorageGB: 1 });
    },
  );

  it('that was made elsewhere and makes no sense is not taken for yes', async () => {
    const memory = openMemoryStore();
    let tell: (name: string) => void = () => undefined;
    const store: ChunkStore = Object.assign(memory, {
      onDocument: (listener: typeof tell) => {
        tell = listener;
        return () => undefined;
      },
    });
    const { swarm, told, sockets } = inPage(store);
    await swarm.ready();
    await aWhile();
    expect(sockets()).toBe(1);
    await memory.putDocument('contribution', { p2pEnabled: 0 });
    tell('contribution');
    await aWhile();
    expect(swarm.contribution.p2pEnabled).toBe(false);
    expect(told).toContain('store-failed');
    await swarm.setContribution({ p2pEnabled: true });
    await aWhile();
    expect(sockets()).toBe(2);
  });

  it('holds in all pages of a site, though others choose something else at the same moment', async () => {
    const site = siteStore();
    const [one, other] = [inPage(site.open()), inPage(site.open())];
    await Promise.all([one.swarm.ready(), other.swarm.ready()]);
    await aWhile();
    const chosen = [
      one.swarm.setContribution({ p2pEnabled: false }),
      other.swarm.setContribution({ maxStorageGB: 1 }),
    ];
    await Promise.resolve();
    expect(one.swarm.contribution.p2pEnabled).toBe(false);
    expect(other.swarm.contribution.maxStorageGB).toBe(1);
    await Promise.all(chosen);
    await aWhile();
    for (const { swarm, sockets } of [one, other]) {
      expect(swarm.contribution).toMatchObject({ p2pEnabled: false, maxStorageGB: 1 });
      expect(sockets()).toBe(1);
    }
    expect(await site.open().getDocument('contribution')).toMatchObject({
      p2pEnabled: false,
      maxStorageGB: 1,
    });
    expect(one.told.filter((said) => said === true)).toEqual([]);
  });
});

/** What pages of one site open: they take turns, and hear what the others put. */
function siteStore(): { open(): ChunkStore } {
  const kept = openMemoryStore();
  const pages: { listener: ((name: string) => void) | undefined }[] = [];
  let turns: Promise<unknown> = Promise.resolve();
  const open = (): ChunkStore => {
    const page: (typeof pages)[number] = { listener: undefined };
    pages.push(page);
    return Object.assign(openMemoryStore(), {
      getDocument: (name: string) => kept.getDocument(name),
      putDocument: async (name: string, value: unknown) => {
        await kept.putDocument(name, value);
        for (const each of pages) if (each !== page) setImmediate(() => each.listener?.(name));
      },
      exclusively: <T>(_name: string, act: () => Promise<T>): Promise<T> => {
        const done = turns.then(act);
        turns = done.catch(() => undefined);
        return done;
      },
      onDocument: (listener: (name: string) => void) => {
        page.listener = listener;
        return () => (page.listener = undefined);
      },
    });
  };
  return { open };
}
