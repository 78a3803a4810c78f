import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { DEFAULT_CONTRIBUTION } from '../contribution.ts';
import { StoredBudget } from '../stored-budget.ts';
import { StoredContribution } from '../stored-contribution.ts';
import { chunkStoreSuite } from '../testing/chunk-store-suite.ts';
import { openSharedDocumentStore } from './shared-document-store.ts';

const clock = { nowMs: () => 0, wallMs: () => Date.UTC(2026, 0, 1, 12) };

let newest = '';
const suite = chunkStoreSuite(
  async () => {
    newest = await makeFolder();
    return openSharedDocumentStore(newest);
  },
  { truncate: (document, keptBytes) => truncate(join(newest, `${document}.json`), keptBytes) },
);
for (const { name, run } of suite) it(name, run);

it('keeps documents over restarts, and makes its folder', async () => {
  const folder = join(await makeFolder(), 'state', 'sonantica');
  const first = await openSharedDocumentStore(folder);
  await first.putDocument('contribution', { maxStorageGB: 1 });
  await first.close();
  expect(await (await openSharedDocumentStore(folder)).getDocument('contribution')).toEqual({
    maxStorageGB: 1,
  });
});

it('has one budget a day for all who open it at once, and over restarts', async () => {
  const folder = await makeFolder();
  const limit = 8_000_000;
  const spend = async (bytes: number) => {
    const store = await openSharedDocumentStore(folder);
    const budget = new StoredBudget(store, clock);
    await budget.load();
    budget.setLimit(limit);
    let spent = 0;
    while (await budget.reserve(bytes)) spent += bytes;
    await budget.close();
    await store.close();
    return spent;
  };
  const together = await Promise.all([spend(16_384), spend(16_384), spend(16_384)]);
  expect(together.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(limit);
  expect((await spend(16_384)) + together.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(
    limit - 16_384,
  );
  expect(await spend(16_384)).toBe(0);
  expect((await readdir(folder)).filter((name) => name.endsWith('.json'))).toEqual(['budget.json']);
});

it('keeps what is chosen in two processes at the same moment', async () => {
  const folder = await makeFolder();
  const stores = await Promise.all([openSharedDocumentStore(folder), openSharedDocumentStore(folder)]);
  const choices = [{ p2pEnabled: false }, { maxStorageGB: 1 }];
  await Promise.all(
    stores.map((store, at) => new StoredContribution(store).put(choices[at] ?? {}, DEFAULT_CONTRIBUTION)),
  );
  expect(await stores[0].getDocument('contribution')).toMatchObject({ p2pEnabled: false, maxStorageGB: 1 });
});

it('says where it cannot be', async () => {
  const folder = await makeFolder();
  await writeFile(join(folder, 'file'), '');
  await mkdir(join(folder, 'folder'));
  await expect(openSharedDocumentStore(join(folder, 'file', 'state'))).rejects.toMatchObject({
    code: 'store-failed',
    message: expect.stringContaining(join(folder, 'file')),
  });
});

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sonantica-documents-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
