import { expect, it } from 'vitest';
import { openLateStore } from './late-store.ts';
import { openMemoryStore } from './memory-store.ts';

it('asks of a store what was asked while it was being opened', async () => {
  const kept = openMemoryStore();
  await kept.putDocument('contribution', { p2pEnabled: false });
  const store = openLateStore(() => Promise.resolve(kept));
  expect(await store.getDocument('contribution')).toEqual({ p2pEnabled: false });
  expect(await store.trouble?.()).toBeUndefined();
});

it('goes on in memory where the store cannot be opened, and says why', async () => {
  const failure = new Error('the database is damaged');
  const store = openLateStore(() => Promise.reject(failure));
  expect(await store.trouble?.()).toBe(failure);
  expect(await store.getDocument('contribution')).toBeUndefined();
  await store.putDocument('contribution', { p2pEnabled: true });
  expect(await store.getDocument('contribution')).toEqual({ p2pEnabled: true });
});
