import { describe, expect, it } from 'vitest';
import { DEFAULT_CONTRIBUTION, readContribution, type Contribution } from './contribution.ts';
import { SwarmError } from './errors.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import { openMemoryStore } from './store/memory-store.ts';
import { StoredContribution } from './stored-contribution.ts';

const BASE = DEFAULT_CONTRIBUTION;

describe('a choice that is kept', () => {
  it('is all of it, over what the author gives', async () => {
    const store = openMemoryStore();
    const kept = await new StoredContribution(store).put({ p2pEnabled: false }, BASE);
    expect(kept).toEqual({ ...BASE, p2pEnabled: false });
    expect(await store.getDocument('contribution')).toEqual(kept);
  });

  it('has what was chosen in two pages at the same moment', async () => {
    const store = shared();
    const [one, other] = [new StoredContribution(store), new StoredContribution(store)];
    await Promise.all([one.put({ p2pEnabled: false }, BASE), other.put({ maxStorageGB: 1 }, BASE)]);
    expect(await store.getDocument('contribution')).toEqual({ ...BASE, p2pEnabled: false, maxStorageGB: 1 });
  });

  it('has what was chosen in one page at the same moment, each field as it was said last', async () => {
    const store = openMemoryStore();
    const choices = new StoredContribution(store);
    const said: Partial<Contribution>[] = [{ p2pEnabled: false }, { maxStorageGB: 1 }, { maxStorageGB: 3 }];
    await Promise.all(said.map((choice) => choices.put(choice, BASE)));
    expect(await store.getDocument('contribution')).toEqual({ ...BASE, p2pEnabled: false, maxStorageGB: 3 });
  });

  it.each([[null], ['rubbish'], [{ p2pEnabled: 'maybe' }]])('takes the place of %j', async (document) => {
    const store = openMemoryStore();
    await store.putDocument('contribution', document);
    const base = { ...BASE, p2pEnabled: false };
    await new StoredContribution(store).put({ maxStorageGB: 1 }, base);
    expect(await store.getDocument('contribution')).toEqual({ ...base, maxStorageGB: 1 });
  });

  it('is written by itself after one that could not be', async () => {
    const memory = openMemoryStore();
    let fails = true;
    const store: ChunkStore = {
      ...memory,
      getDocument: (name) => memory.getDocument(name),
      putDocument: async (name, value) => {
        if (fails) throw new SwarmError('store-full', 'no room');
        await memory.putDocument(name, value);
      },
    };
    const choices = new StoredContribution(store);
    await expect(choices.put({ shareWithAnyUser: false }, BASE)).rejects.toThrow('no room');
    fails = false;
    expect(await choices.put({ maxStorageGB: 1 }, BASE)).toEqual({ ...BASE, maxStorageGB: 1 });
  });
});

describe('a choice that is being written', () => {
  it('counts before what is heard from elsewhere, until it is written', async () => {
    const choices = new StoredContribution(openMemoryStore());
    const elsewhere = readContribution({ p2pEnabled: true, maxStorageGB: 9 }, BASE);
    const written = choices.put({ p2pEnabled: false }, BASE);
    expect(choices.withWishes(elsewhere)).toEqual({ ...elsewhere, p2pEnabled: false });
    await written;
    expect(choices.withWishes(elsewhere)).toEqual(elsewhere);
  });

  it('is waited for on closing', async () => {
    const store = openMemoryStore();
    const choices = new StoredContribution(store);
    const puts = [choices.put({ p2pEnabled: false }, BASE), choices.put({ maxStorageGB: 1 }, BASE)];
    await choices.close();
    expect(await store.getDocument('contribution')).toMatchObject({ p2pEnabled: false, maxStorageGB: 1 });
    await Promise.all(puts);
  });
});

/** A store that several pages have open and take turns at. */
function shared(): ChunkStore {
  let turns: Promise<unknown> = Promise.resolve();
  return Object.assign(openMemoryStore(), {
    exclusively: <T>(_name: string, act: () => Promise<T>): Promise<T> => {
      const done = turns.then(act);
      turns = done.catch(() => undefined);
      return done;
    },
  });
}
