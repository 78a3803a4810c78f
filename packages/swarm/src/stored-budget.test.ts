import { describe, expect, it } from 'vitest';
import { SwarmError } from './errors.ts';
import type { ChunkStore } from './store/chunk-store.ts';
import { openMemoryStore } from './store/memory-store.ts';
import { StoredBudget } from './stored-budget.ts';
import { seededRandom } from './testing/seeded-random.ts';
import { VirtualClock } from './testing/virtual-clock.ts';

const MB = 1_000_000;
const DAY_MS = 86_400_000;

describe('the stored budget', () => {
  it('is written down before a byte of it is granted', async () => {
    const disk = new Disk();
    const budget = await disk.open(10 * MB);
    disk.holds = true;
    const reserved = budget.reserve(1_000);
    expect(reserved).toBeInstanceOf(Promise);
    let granted: boolean | undefined;
    void Promise.resolve(reserved).then((answer) => (granted = answer));
    await turn();
    expect(granted).toBeUndefined();
    disk.letGo();
    await turn();
    expect(granted).toBe(true);
    expect(disk.takenBytes).toBeGreaterThanOrEqual(1_000);
  });

  it('is granted at once from what was set aside before', async () => {
    const disk = new Disk();
    const budget = await disk.open(10 * MB);
    await budget.reserve(1_000);
    expect(budget.reserve(1_000)).toBe(true);
    expect(disk.writes).toBe(1);
    expect(budget.remainingBytes).toBe(10 * MB - 2_000);
  });

  it('is written once for many who ask at a time, and reaches exactly as far as the limit', async () => {
    const disk = new Disk();
    const budget = await disk.open(100_000);
    const answers = await Promise.all(Array.from({ length: 12 }, () => budget.reserve(10_000)));
    expect(answers.filter(Boolean)).toHaveLength(10);
    expect(disk.writes).toBe(1);
    expect(budget.remainingBytes).toBe(0);
  });

  it('grants requests larger than what is being set aside', async () => {
    const disk = new Disk();
    const budget = await disk.open(100 * MB);
    const answers = await Promise.all([budget.reserve(10), budget.reserve(5 * MB), budget.reserve(9 * MB)]);
    expect(answers).toEqual([true, true, true]);
    expect(disk.takenBytes).toBeGreaterThanOrEqual(14 * MB + 10);
  });

  it('grants nothing that cannot be written down, and goes on when it can again', async () => {
    const disk = new Disk();
    const budget = await disk.open(10 * MB);
    disk.fails = true;
    expect(await budget.reserve(1_000)).toBe(false);
    expect(budget.remainingBytes).toBe(10 * MB);
    disk.fails = false;
    expect(await budget.reserve(1_000)).toBe(true);
  });

  it('is never exceeded over any number of crashes', async () => {
    const { next } = seededRandom(5);
    const disk = new Disk();
    let sent = 0;
    for (let run = 0; run < 40; run++) {
      const budget = await disk.open(20 * MB);
      for (let i = 0; i < 30 && next() < 0.95; i++) {
        const bytes = Math.floor(next() * 200_000);
        if (await budget.reserve(bytes)) sent += bytes;
      }
      if (next() < 0.3) await budget.close();
      expect(sent).toBeLessThanOrEqual(20 * MB);
      expect(disk.takenBytes).toBeGreaterThanOrEqual(sent);
    }
    expect(sent).toBeGreaterThan(0);
  });

  it('gives back what was set aside when it is closed, and grants nothing afterwards', async () => {
    const disk = new Disk();
    const budget = await disk.open(10 * MB);
    await budget.reserve(1_000);
    await budget.close();
    expect(disk.takenBytes).toBe(1_000);
    expect(budget.reserve(1)).toBe(false);
    const next = await disk.open(10 * MB);
    expect(next.remainingBytes).toBe(10 * MB - 1_000);
  });

  it('closes while something is being written, losing nothing that was granted', async () => {
    const disk = new Disk();
    const budget = await disk.open(10 * MB);
    disk.holds = true;
    const reserved = budget.reserve(1_000);
    const closed = budget.close();
    await turn();
    disk.letGo();
    const granted = await reserved;
    await closed;
    expect(disk.takenBytes).toBe(granted ? 1_000 : 0);
  });

  it('closes also when the store fails', async () => {
    const disk = new Disk();
    const budget = await disk.open(10 * MB);
    await budget.reserve(1_000);
    disk.fails = true;
    await budget.close();
    expect(disk.takenBytes).toBeGreaterThanOrEqual(1_000);
  });

  it('obeys a new limit at once, counting what was sent', async () => {
    const disk = new Disk();
    const budget = await disk.open(10 * MB);
    await budget.reserve(4 * MB);
    budget.setLimit(3 * MB);
    expect(budget.remainingBytes).toBe(0);
    expect(await budget.reserve(1)).toBe(false);
    budget.setLimit(5 * MB);
    expect(await budget.reserve(1 * MB)).toBe(true);
    expect(await budget.reserve(1)).toBe(false);
  });

  it('grants nothing before a limit is set', async () => {
    const budget = new StoredBudget(openMemoryStore(), new VirtualClock());
    await budget.load();
    expect(await budget.reserve(1)).toBe(false);
  });

  it('begins anew with the day and never when the clock goes back', async () => {
    const disk = new Disk();
    const budget = await disk.open(MB);
    await budget.reserve(MB);
    disk.clock.jumpWall(-3 * DAY_MS);
    expect(await budget.reserve(1)).toBe(false);
    const restarted = await disk.open(MB);
    expect(await restarted.reserve(1)).toBe(false);
    disk.clock.jumpWall(4 * DAY_MS);
    expect(await restarted.reserve(MB)).toBe(true);
  });

  it('is used up for today where its document is damaged, and leaves a good one', async () => {
    const store = openMemoryStore();
    const clock = new VirtualClock();
    await store.putDocument('budget', null);
    const open = async () => {
      const budget = new StoredBudget(store, clock);
      await budget.load();
      budget.setLimit(10 * MB);
      return budget;
    };
    const budget = await open();
    expect([budget.remainingBytes, await budget.reserve(1)]).toEqual([0, false]);
    await budget.close();
    expect((await open()).remainingBytes).toBe(0);
    clock.jumpWall(DAY_MS);
    expect(await (await open()).reserve(1)).toBe(true);
  });

  it('tells when the store cannot be read', async () => {
    const budget = new StoredBudget(unreadable(openMemoryStore()), new VirtualClock());
    await expect(budget.load()).rejects.toThrow('unreadable');
  });

  it.each([
    ['was never read', async () => undefined],
    ['could not be read', (budget: StoredBudget) => budget.load().catch(() => undefined)],
  ])('is neither spent nor written over when it %s', async (_what, load) => {
    const memory = openMemoryStore();
    const clock = new VirtualClock();
    const document = { version: 1, day: Math.floor(clock.wallMs() / DAY_MS), takenBytes: 10 * MB };
    await memory.putDocument('budget', document);
    const budget = new StoredBudget(unreadable(memory), clock);
    await load(budget);
    budget.setLimit(10 * MB);
    expect(await budget.reserve(1)).toBe(false);
    await budget.close();
    expect(await memory.getDocument('budget')).toEqual(document);
  });
});

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** The same store, whose documents can be written and not read. */
function unreadable(store: ChunkStore): ChunkStore {
  return {
    ...store,
    getDocument: () => Promise.reject(new SwarmError('store-failed', 'unreadable')),
    putDocument: (name, value) => store.putDocument(name, value),
  };
}

/** A store that outlives the budgets opened on it, and can be slow or broken. */
class Disk {
  readonly clock = new VirtualClock();
  writes = 0;
  takenBytes = 0;
  fails = false;
  holds = false;
  letGo: () => void = () => undefined;
  readonly #memory = openMemoryStore();

  async open(limitBytes: number): Promise<StoredBudget> {
    const store: ChunkStore = {
      ...this.#memory,
      getDocument: (name) => this.#memory.getDocument(name),
      putDocument: async (name, value) => {
        this.writes++;
        if (this.fails) throw new SwarmError('store-failed', 'broken');
        if (this.holds) await new Promise<void>((resolve) => (this.letGo = resolve));
        this.holds = false;
        await this.#memory.putDocument(name, value);
        if (typeof value === 'object' && value !== null && 'takenBytes' in value)
          this.takenBytes = Number(value.takenBytes);
      },
    };
    const budget = new StoredBudget(store, this.clock);
    await budget.load();
    budget.setLimit(limitBytes);
    return budget;
  }
}
