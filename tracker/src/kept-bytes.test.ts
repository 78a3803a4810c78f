import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeptBytes, SpareBuffers } from './kept-bytes.ts';

/** Something done to one of a few: more put behind it, let go, or given away. */
const step = fc.record({
  which: fc.nat(4),
  what: fc.oneof(fc.nat(20_000), fc.constantFrom('let go', 'give away')),
});

describe('bytes that are kept', () => {
  it('are what was put together, whoever else used the buffer before, and those given away stay so', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const kept: (KeptBytes | undefined)[] = [];
        const expected: Buffer[] = [];
        const given: [Buffer, Buffer][] = [];
        let mark = 0;
        for (const { which, what } of steps) {
          const one = (kept[which] ??= new KeptBytes());
          const before = expected[which] ?? Buffer.alloc(0);
          if (typeof what === 'number') {
            const more = Buffer.alloc(what, ++mark);
            one.append(Buffer.concat([Buffer.from('x'), more]), 1, 1 + what);
            expected[which] = Buffer.concat([before, more]);
            continue;
          }
          if (what === 'give away') given.push([one.giveAway(), before]);
          one.letGo();
          one.letGo();
          kept[which] = undefined;
          expected[which] = Buffer.alloc(0);
        }
        for (const [i, one] of kept.entries())
          expect(one?.bytes.subarray(0, one.length).equals(expected[i] ?? Buffer.alloc(0)) ?? true).toBe(
            true,
          );
        for (const [bytes, was] of given) expect(bytes.equals(was)).toBe(true);
      }),
    );
  });

  it('are put where others were that are let go, and not where those are that were given away', () => {
    const first = new KeptBytes();
    first.append(Buffer.alloc(30_000), 0, 30_000);
    const { buffer } = first.bytes;
    first.letGo();
    const second = new KeptBytes();
    second.append(Buffer.alloc(30_000), 0, 30_000);
    expect(second.bytes.buffer).toBe(buffer);
    const given = second.giveAway();
    expect(given.buffer).toBe(buffer);
    second.letGo();
    const third = new KeptBytes();
    third.append(Buffer.alloc(30_000), 0, 30_000);
    expect(third.bytes.buffer).not.toBe(buffer);
  });

  it('that are given away take no more than twice their length', () => {
    const big = new KeptBytes();
    big.append(Buffer.alloc(60_000), 0, 60_000);
    big.letGo();
    const small = new KeptBytes();
    small.append(Buffer.alloc(5_000, 7), 0, 5_000);
    const given = small.giveAway();
    expect(given.equals(Buffer.alloc(5_000, 7))).toBe(true);
    expect(given.buffer.byteLength).toBeLessThanOrEqual(10_000);
  });
});

describe('buffers that wait to be used again', () => {
  it('are no more than there may be, none of them longer than a message', () => {
    const spare = new SpareBuffers(100_000);
    const all = Array.from({ length: 20 }, () => spare.take(10_000));
    expect(new Set(all.map(({ buffer }) => buffer)).size).toBe(20);
    for (const buffer of all) spare.give(buffer);
    expect(spare.bytes).toBeLessThanOrEqual(100_000);
    expect(spare.bytes).toBeGreaterThan(80_000);
    const long = new SpareBuffers(1_000_000);
    const longest = long.take(100_000);
    expect(longest).toHaveLength(100_000);
    long.give(longest);
    expect(long.bytes).toBe(0);
  });

  it('serve who needs less, where there is none as small', () => {
    const spare = new SpareBuffers(1_000_000);
    const buffer = spare.take(40_000);
    spare.give(buffer);
    expect(spare.take(300)).toBe(buffer);
    expect(spare.bytes).toBe(0);
  });
});
