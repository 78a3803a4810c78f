import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { equalBytes, parseRootHash, parseTrackId } from '@sonantica/wire';
import { openFileStore } from './file-store.ts';
import { lockFolder } from './folder-lock.ts';

/** Other processes run what was built: Node does not read TypeScript. */
const built = new URL('../../dist/store/file-store.js', import.meta.url);

let folder: string;
const children: ChildProcess[] = [];

beforeAll(() => {
  if (!existsSync(fileURLToPath(built))) throw new Error('these tests need `npm run build` first');
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sonantica-lock-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  await rm(folder, { recursive: true });
});

describe('a locked folder', () => {
  it('is refused to a second store of the same process, until it is released', async () => {
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toMatchObject({
      code: 'store-locked',
      message: expect.stringContaining(`process ${process.pid}`),
    });
    await lock.release();
    await (await lockFolder(folder)).release();
  });

  it('is refused under another name', async () => {
    const lock = await lockFolder(folder);
    const alias = `${folder}-alias`;
    await symlink(folder, alias);
    try {
      await expect(lockFolder(alias)).rejects.toMatchObject({ code: 'store-locked' });
    } finally {
      await rm(alias);
      await lock.release();
    }
  });

  it('locks no other', async () => {
    const other = await mkdtemp(join(tmpdir(), 'sonantica-lock-'));
    const locks = await Promise.all([lockFolder(folder), lockFolder(other)]);
    for (const lock of locks) await lock.release();
    await rm(other, { recursive: true });
  });

  it('is released once, however often', async () => {
    const lock = await lockFolder(folder);
    await Promise.all([lock.release(), lock.release()]);
    await lock.release();
    await (await lockFolder(folder)).release();
  });

  it('is refused while another process has it, which is named', async () => {
    const { child } = await startHolder();
    await expect(openFileStore(folder)).rejects.toMatchObject({
      code: 'store-locked',
      message: expect.stringContaining(`process ${child.pid}`),
    });
  });

  it('is free at once when its process was killed', async () => {
    const { child } = await startHolder();
    await kill(child);
    const startedMs = performance.now();
    await (await openFileStore(folder)).close();
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  it('does not keep a process alive', async () => {
    const code = `const { openFileStore } = await import(${JSON.stringify(built.href)});
      await openFileStore(${JSON.stringify(folder)});`;
    expect(await exitCode(startNode(code))).toBe(0);
  });

  it('goes to exactly one of several that start at once, also over what a killed one left', async () => {
    for (let round = 0; round < 3; round++) {
      const { child } = await startHolder();
      await kill(child);
      const started = await Promise.all(Array.from({ length: 6 }, () => startHolder()));
      const answers = started.map(({ answer }) => answer).toSorted();
      expect(answers).toEqual(['held', ...Array.from({ length: 5 }, () => 'store-locked')]);
      for (const { child: one } of started) await kill(one);
    }
  });
});

it('says so when the folder cannot be locked at all', async () => {
  await expect(lockFolder(join(folder, 'missing'))).rejects.toMatchObject({ code: 'store-failed' });
});

it('loses no chunk whose put had resolved when its process is killed in the midst of others', async () => {
  const chunkBytes = 131_072;
  const root = parseRootHash('a'.repeat(64));
  const key = { trackId: parseTrackId('song'), root };
  const size = chunkBytes * 2000;
  const manifest = {
    version: 1,
    ...key,
    size,
    chunkSize: chunkBytes,
    mime: 'audio/flac',
    chunks: '',
    sha256: '',
  };
  const child = startNode(`const { openFileStore } = await import(${JSON.stringify(built.href)});
    const store = await openFileStore(${JSON.stringify(folder)});
    const key = ${JSON.stringify(key)};
    await store.putManifest(key, ${JSON.stringify(manifest)});
    for (let chunk = 0; chunk < 2000; chunk++) {
      const put = store.putChunk(key, chunk, new Uint8Array(${chunkBytes}).fill(chunk % 251));
      const document = store.putDocument('budget', { chunk });
      await put;
      await document;
      process.stdout.write(chunk + '\\n');
    }`);
  let last = -1;
  for await (const line of lines(child)) {
    last = Number(line);
    if (last === 100) child.kill('SIGKILL');
  }
  expect(last).toBeGreaterThanOrEqual(100);

  const store = await openFileStore(folder);
  const [track] = await store.tracks();
  for (let chunk = 0; chunk <= last; chunk++) {
    const bytes = await store.getChunk(key, chunk);
    expect(bytes !== undefined && equalBytes(bytes, new Uint8Array(chunkBytes).fill(chunk % 251))).toBe(true);
  }
  // At most the one that was under way besides; whole if it is there.
  expect(track?.held.size).toBeLessThanOrEqual(last + 2);
  const document = await store.getDocument('budget');
  expect([last, last + 1]).toContain(Object(document).chunk);
  await store.close();
  const left = await readdir(folder, { recursive: true });
  expect(left.filter((name) => name.endsWith('.part'))).toEqual([]);
});

/** Starts a process that opens the folder, says how that went and stays. */
async function startHolder(): Promise<{ child: ChildProcess; answer: string }> {
  const child = startNode(`const { openFileStore } = await import(${JSON.stringify(built.href)});
    setInterval(() => {}, 1000);
    openFileStore(${JSON.stringify(folder)}).then(() => console.log('held'), (error) => console.log(error.code));`);
  for await (const answer of lines(child)) return { child, answer };
  throw new Error('the process ended without a word');
}

function startNode(code: string): ChildProcess {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

function lines(child: ChildProcess): AsyncIterable<string> {
  if (child.stdout === null) throw new Error('the process has no output');
  return createInterface({ input: child.stdout });
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = exitCode(child);
  child.kill('SIGKILL');
  await ended;
}

function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', resolve));
}
