import { describe, expect, it, onTestFinished } from 'vitest';
import { systemEnvironment, type Environment } from './environment.ts';
import { Network } from './network.ts';
import type { PageWatcher } from './platform.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import { openLateStore } from './store/late-store.ts';
import { openMemoryStore } from './store/memory-store.ts';
import { Swarm } from './swarm.ts';

/** A swarm in a page, what it tells, and how many sockets it opened. */
function inPage(store: ChunkStore) {
  let sockets = 0;
  let watcher: PageWatcher | undefined;
  const environment: Environment = {
    ...systemEnvironment,
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
});
