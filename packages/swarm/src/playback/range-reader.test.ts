import { expect, it } from 'vitest';
import { Playhead } from '../core/playhead.ts';
import { VirtualClock } from '../testing/virtual-clock.ts';
import { RangeReader, streamRange, type ReadableTrack } from './range-reader.ts';

/** 100 kB a second. */
const FACTS = { size: 100_000_000, chunkSize: 262_144, audio: { durationSeconds: 1_000 } };

/** A track whose reads are answered at once, or when `release` is called. */
function fakeTrack(held = false) {
  const reads: { start: number; end: number; deadlineMs: number; signal: AbortSignal | undefined }[] = [];
  const given: number[] = [];
  const waiting: (() => void)[] = [];
  const playhead = new Playhead(new VirtualClock());
  const read: ReadableTrack['read'] = async ({ start, end }, { deadlineMs, signal }) => {
    reads.push({ start, end, deadlineMs, signal });
    signal?.addEventListener('abort', () => given.push(start));
    if (held) await new Promise<void>((resolve) => waiting.push(resolve));
    return Uint8Array.from({ length: end - start }, (_, i) => (start + i) & 0xff);
  };
  return { reads, given, read, playhead, waiting };
}

function readerOf(track: ReadableTrack, start: number, end: number): RangeReader {
  return new RangeReader(track, FACTS, { start, end });
}

it('gives a range in order, wanting what a browser can use first, and what is here already as one', async () => {
  const track = fakeTrack();
  const reader = readerOf(track, 5, 900_000);
  let at = 5;
  const lengths: number[] = [];
  for (let bytes = await reader.next(); bytes !== undefined; bytes = await reader.next()) {
    for (let i = 0; i < bytes.length; i += 4_096) expect(bytes[i]).toBe((at + i) & 0xff);
    at += bytes.length;
    lengths.push(bytes.length);
  }
  expect(at).toBe(900_000);
  expect(track.reads[0]).toMatchObject({ start: 5, end: 32_768 });
  expect(lengths[0]).toBeGreaterThan(32_768);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(262_144);
});

it.each([0, 5, 1_000_000])(
  'lets what a player needs to begin, from byte %i on, wait for nothing that comes after it',
  async (start) => {
    const track = fakeTrack();
    const reader = readerOf(track, start, 10_000_000);
    for (let i = 0; i < 12; i++) await reader.next();
    const headEnd = Math.ceil((start + 98_304) / 32_768) * 32_768;
    expect(track.reads.map(({ end }) => end)).toContain(headEnd);
  },
);

it('wants no more than a little ahead of what is taken', async () => {
  const track = fakeTrack();
  const { reads } = track;
  const reader = readerOf(track, 0, 100_000_000);
  await reader.next();
  expect(reads.at(-1)?.end).toBeLessThan(1_600_000);
});

it('wants little at first, and more as more is taken', async () => {
  const track = fakeTrack();
  const { reads } = track;
  const reader = readerOf(track, 0, 10_000_000);
  await reader.next();
  expect(reads.at(-1)?.end).toBeLessThanOrEqual(131_072);
  for (let i = 0; i < 12; i++) await reader.next();
  expect(reads.at(-1)?.end).toBeGreaterThan(1_500_000);
});

it('wants the far ones later than the near ones', async () => {
  const track = fakeTrack();
  const { reads } = track;
  const reader = readerOf(track, 0, 2_000_000);
  for (let i = 0; i < 12; i++) await reader.next();
  const due = reads.map(({ deadlineMs }) => deadlineMs);
  expect(due).toEqual(due.toSorted((a, b) => a - b));
  expect(due.at(-1)).toBeGreaterThan(4_000);
});

it('gives small pieces of what comes slowly, for nobody waits for the end of one to hear its beginning', async () => {
  const lengths = async (bytesPerMs: number) => {
    const clock = new VirtualClock();
    let freeAtMs = 0;
    const read: ReadableTrack['read'] = async ({ start, end }) => {
      freeAtMs = Math.max(freeAtMs, clock.nowMs()) + (end - start) / bytesPerMs;
      await new Promise<void>((resolve) => void clock.scheduleAt(freeAtMs, resolve));
      return new Uint8Array(end - start);
    };
    const reader = readerOf({ playhead: new Playhead(clock), read }, 0, 100_000_000);
    let last = 0;
    for (let i = 0; i < 30; i++) {
      let came = false;
      void reader.next().then((bytes) => {
        came = true;
        last = bytes?.length ?? 0;
      });
      while (!came) {
        await new Promise((resolve) => setImmediate(resolve));
        if (!came) clock.step();
      }
    }
    return last;
  };
  expect(await lengths(1_250)).toBeLessThanOrEqual(49_152);
  expect(await lengths(50_000)).toBe(262_144);
});

it('takes back all it wants when it is cancelled, the last first, and gives nothing more', async () => {
  const track = fakeTrack(true);
  const { reads, given } = track;
  const reader = readerOf(track, 0, 1_000_000);
  void reader.next();
  reader.cancel();
  expect(reads.length).toBeGreaterThan(1);
  expect(reads.every(({ signal }) => signal?.aborted)).toBe(true);
  expect(given).toEqual(reads.map(({ start }) => start).toReversed());
  await expect(reader.next()).rejects.toMatchObject({ code: 'aborted' });
});

it('ends with the first failure', async () => {
  const reader = readerOf(
    { playhead: fakeTrack().playhead, read: () => Promise.reject(new Error('gone')) },
    0,
    1_000_000,
  );
  await expect(reader.next()).rejects.toThrow('gone');
  await expect(reader.next()).rejects.toMatchObject({ code: 'aborted' });
});

it('is over at once for no bytes', async () => {
  expect(await readerOf(fakeTrack(), 7, 7).next()).toBeUndefined();
});

it('wants the last two chunks once the player reads on and on, and only where the end is asked for', async () => {
  for (const [end, ends] of [
    [FACTS.size, 1],
    [10_000_000, 0],
  ] as const) {
    const track = fakeTrack();
    const reader = readerOf(track, 0, end);
    const wanted = () => track.reads.filter((read) => read.start > 50_000_000);
    await reader.next();
    await reader.next();
    expect(wanted()).toEqual([]);
    for (let i = 0; i < 20; i++) await reader.next();
    expect(wanted()).toHaveLength(ends);
    if (ends === 0) continue;
    const [last] = wanted();
    expect(last).toMatchObject({ start: 380 * 262_144, end: FACTS.size });
    expect(last?.deadlineMs).toBeGreaterThan(10_000);
  }
});

it('wants nothing beyond the head while a player that shares the processor begins', async () => {
  const clock = new VirtualClock();
  const track = { ...fakeTrack(), playhead: new Playhead(clock) };
  const pauses: number[] = [];
  const pause = async (ms: number) => {
    expect(track.reads.at(-1)?.end).toBe(98_304);
    pauses.push(ms);
    await clock.advance(ms);
  };
  const reader = new RangeReader(track, FACTS, { start: 0, end: 1_000_000 }, pause);
  let bytes = 0;
  for (let piece = await reader.next(); piece !== undefined; piece = await reader.next())
    bytes += piece.length;
  expect(pauses).toEqual([60]);
  expect(bytes).toBe(1_000_000);
});

it('wants by the playhead where the player tells it', async () => {
  const track = fakeTrack();
  const reader = readerOf(track, 4_000_000, 10_000_000);
  track.playhead.set(48);
  for (let i = 0; i < 4; i++) await reader.next();
  const beforeIt = track.reads.filter(({ start }) => start < 4_800_000);
  expect(beforeIt.length).toBeGreaterThan(3);
  expect(beforeIt.every(({ deadlineMs }) => deadlineMs <= 500)).toBe(true);
});

it('is a stream that takes no more than is read of it, and gives up what it wanted when it is cancelled', async () => {
  const track = fakeTrack(true);
  const stream = streamRange(track, FACTS, { start: 0, end: 1_000_000 });
  expect(track.reads).toEqual([]);
  const reader = stream.getReader();
  const reading = reader.read();
  await expect.poll(() => track.reads.length).toBeGreaterThan(0);
  await reader.cancel();
  expect((await reading).done).toBe(true);
  expect(track.reads.every(({ signal }) => signal?.aborted)).toBe(true);
});
