import { describe, expect, it } from 'vitest';
import { OriginPace } from './origin-pace.ts';

const BLOCK = 16_384;

describe('the pace of the origin', () => {
  it('is guessed before anything came', () => {
    const pace = new OriginPace();
    expect(pace.firstByteMs).toBe(100);
    expect(pace.leadMs).toBe(250);
    expect(pace.latestMs).toBe(200);
    expect(pace.isCongested(1_000)).toBe(false);
  });

  it('takes the time of the first bytes for that of an answer, not that of the block they begin', () => {
    const pace = new OriginPace();
    const request = {};
    pace.asked(request, 1_000);
    pace.answered(request, 1_010);
    pace.answered(request, 1_020);
    pace.delivered(request, BLOCK, true, 1_060);
    expect(pace.firstByteMs).toBe(10);
    // What was told of an answer that was taken back says nothing of the next.
    pace.asked(request, 2_000);
    pace.answered(request, 2_100);
    pace.ended(request, true);
    pace.answered(request, 2_150);
    pace.asked(request, 3_000);
    pace.delivered(request, BLOCK, true, 3_010);
    expect(pace.firstByteMs).toBe(10);
  });

  it('has as much under way as comes in two answers, within bounds', () => {
    expect(new OriginPace().aheadBytes).toBe(50_000);
    expect(paced({ firstByteMs: 100, bytesPerMs: 1_000 }).aheadBytes).toBeCloseTo(200_000, -3);
    expect(paced({ firstByteMs: 2, bytesPerMs: 100 }).aheadBytes).toBe(32_768);
    expect(paced({ firstByteMs: 500, bytesPerMs: 50_000 }).aheadBytes).toBe(1_048_576);
  });

  it('leaves a distant origin more time than a near one', () => {
    const near = paced({ firstByteMs: 20, bytesPerMs: 1_000 });
    const far = paced({ firstByteMs: 400, bytesPerMs: 1_000 });
    expect(near.leadMs).toBeLessThan(550);
    expect(far.leadMs - near.leadMs).toBeGreaterThanOrEqual(380);
  });

  it('leaves a slow origin more time than a fast one, three seconds at most', () => {
    const fast = paced({ firstByteMs: 50, bytesPerMs: 1_000 });
    const slow = paced({ firstByteMs: 50, bytesPerMs: 64 });
    expect(slow.leadMs - fast.leadMs).toBeGreaterThan(400);
    expect(paced({ firstByteMs: 50, bytesPerMs: 1 }).leadMs).toBe(3_000);
  });

  it('knows a crowd at the origin by how a head comes, and does not forget it with the first fast answer', () => {
    const pace = new OriginPace();
    const head = {};
    pace.asked(head, 150);
    pace.hadBegun(head, 0);
    for (let block = 0; block < 5; block++) pace.delivered(head, 16_384, false, 300 + 250 * block);
    // Known before the last block came: then what is due next is asked for.
    expect(pace.isCongested(175)).toBe(true);
    pace.delivered(head, 16_384, true, 1_550);
    const next = {};
    pace.asked(next, 2_000);
    for (let block = 0; block < 16; block++) pace.delivered(next, 16_384, block === 15, 2_050 + 10 * block);
    expect(pace.isCongested(175)).toBe(true);
  });

  it('does not take a far origin for a crowded one: its head comes in a few bursts', () => {
    const pace = new OriginPace();
    const head = {};
    pace.asked(head, 500);
    pace.hadBegun(head, 0);
    for (const atMs of [600, 900, 900, 900, 1_200, 1_200]) pace.delivered(head, 16_384, atMs === 1_201, atMs);
    expect(pace.isCongested(500)).toBe(false);
  });

  it('trusts a steady origin closer than one whose answers vary', () => {
    const [steady, varying] = [new OriginPace(), new OriginPace()];
    for (let i = 0; i < 40; i++) {
      answer(steady, i * 1_000, 100);
      answer(varying, i * 1_000, i % 2 === 0 ? 20 : 180);
    }
    expect(varying.leadMs - steady.leadMs).toBeGreaterThan(150);
  });

  it('takes half of what a head took, made with its connection, for a first guess, and no rate from it', () => {
    const pace = new OriginPace();
    const head = {};
    pace.asked(head, 150);
    pace.hadBegun(head, 0);
    for (let block = 0; block < 6; block++) pace.delivered(head, BLOCK, block === 5, 200);
    expect(pace.firstByteMs).toBe(100);
    expect(pace.bytesPerMs).toBeUndefined();
    answer(pace, 1_000, 20);
    expect(pace.firstByteMs).toBe(80);
  });

  it('is congested when it gives less than twice what is listened at', () => {
    const pace = paced({ firstByteMs: 50, bytesPerMs: 300 });
    expect(pace.isCongested(140)).toBe(false);
    expect(pace.isCongested(160)).toBe(true);
  });

  it('counts no time in which nothing was under way', () => {
    const pace = paced({ firstByteMs: 50, bytesPerMs: 1_000 });
    const before = pace.bytesPerMs ?? 0;
    const request = {};
    pace.asked(request, 1e6);
    for (let i = 1; i <= 8; i++) pace.delivered(request, BLOCK, i === 8, 1e6 + i * (BLOCK / 1_000));
    expect(pace.bytesPerMs).toBeGreaterThan(before * 0.8);
  });
});

function answer(pace: OriginPace, atMs: number, firstByteMs: number): void {
  const request = {};
  pace.asked(request, atMs);
  pace.delivered(request, BLOCK, true, atMs + firstByteMs);
}

/** A pace measured over one long request. */
function paced({ firstByteMs, bytesPerMs }: { firstByteMs: number; bytesPerMs: number }): OriginPace {
  const pace = new OriginPace();
  const request = {};
  pace.asked(request, 0);
  for (let i = 0; i < 64; i++) pace.delivered(request, BLOCK, false, firstByteMs + i * (BLOCK / bytesPerMs));
  return pace;
}
