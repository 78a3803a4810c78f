import { expect, it } from 'vitest';
import { RangeReader, type ReadBytes } from './range-reader.ts';

/** A track whose reads are answered at once, or when `release` is called. */
function fakeTrack(held = false) {
  const reads: { start: number; end: number; deadlineMs: number; signal: AbortSignal }[] = [];
  const waiting: (() => void)[] = [];
  const read: ReadBytes = async ({ start, end }, { deadlineMs, signal }) => {
    reads.push({ start, end, deadlineMs, signal });
    if (held) await new Promise<void>((resolve) => waiting.push(resolve));
    return Uint8Array.from({ length: end - start }, (_, i) => (start + i) & 0xff);
  };
  return { reads, read, waiting };
}

function readerOf(read: ReadBytes, start: number, end: number): RangeReader {
  return new RangeReader({ read, range: { start, end }, bytesPerSecond: 100_000, nowMs: () => 0 });
}

it('gives a range in order, the first piece small', async () => {
  const { read } = fakeTrack();
  const reader = readerOf(read, 5, 900_000);
  let at = 5;
  const lengths: number[] = [];
  for (let bytes = await reader.next(); bytes !== undefined; bytes = await reader.next()) {
    expect(bytes[0]).toBe(at & 0xff);
    at += bytes.length;
    lengths.push(bytes.length);
  }
  expect(at).toBe(900_000);
  expect(lengths[0]).toBe(16_384 - 5);
  expect(Math.max(...lengths)).toBe(262_144);
});

it('wants no more than a little ahead of what is taken', async () => {
  const { read, reads } = fakeTrack();
  const reader = readerOf(read, 0, 100_000_000);
  await reader.next();
  expect(reads.at(-1)?.end).toBeLessThan(1_600_000);
});

it('wants little at first, and more as more is taken', async () => {
  const { read, reads } = fakeTrack();
  const reader = readerOf(read, 0, 10_000_000);
  await reader.next();
  expect(reads.at(-1)?.end).toBeLessThanOrEqual(131_072);
  for (let i = 0; i < 6; i++) await reader.next();
  expect(reads.at(-1)?.end).toBeGreaterThan(1_500_000);
});

it('wants the far ones later than the near ones', async () => {
  const { read, reads } = fakeTrack();
  const reader = readerOf(read, 0, 2_000_000);
  for (let i = 0; i < 5; i++) await reader.next();
  const due = reads.map(({ deadlineMs }) => deadlineMs);
  expect(due).toEqual(due.toSorted((a, b) => a - b));
  expect(due.at(-1)).toBeGreaterThan(4_000);
});

it('takes back all it wants when it is cancelled, and gives nothing more', async () => {
  const { read, reads } = fakeTrack(true);
  const reader = readerOf(read, 0, 1_000_000);
  void reader.next();
  reader.cancel();
  expect(reads.length).toBeGreaterThan(1);
  expect(reads.every(({ signal }) => signal.aborted)).toBe(true);
  await expect(reader.next()).rejects.toMatchObject({ code: 'aborted' });
});

it('ends with the first failure', async () => {
  const reader = readerOf(() => Promise.reject(new Error('gone')), 0, 1_000_000);
  await expect(reader.next()).rejects.toThrow('gone');
  await expect(reader.next()).rejects.toMatchObject({ code: 'aborted' });
});

it('is over at once for no bytes', async () => {
  expect(await readerOf(fakeTrack().read, 7, 7).next()).toBeUndefined();
});
