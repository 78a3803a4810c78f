import { describe, expect, it } from 'vitest';
import type { PeerLink } from '../links/peer-link.ts';
import { memoryLinkPair } from './memory-link.ts';
import { peerLinkSuite } from './peer-link-suite.ts';
import { VirtualClock } from './virtual-clock.ts';

describe('a memory link', () => {
  for (const { name, run } of peerLinkSuite(async () => memoryLinkPair())) it(name, run);
});

describe('a memory link on a real clock with latency and little bandwidth', () => {
  const clock = {
    schedule: (delayMs: number, run: () => void) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  };
  const makePair = async () =>
    memoryLinkPair({ clock, latencyMs: 2, bytesPerSecond: 16e6, ceilingBytes: 100_000 });
  for (const { name, run } of peerLinkSuite(makePair)) it(name, run);
});

/** When each frame arrived, and the drains and ends. */
function watch(link: PeerLink, clock: VirtualClock) {
  const seen = {
    frames: [] as { atMs: number; first: number | undefined }[],
    drains: 0,
    ends: [] as string[],
  };
  link.start({
    frame: (bytes) => seen.frames.push({ atMs: clock.nowMs(), first: bytes[0] }),
    drain: () => (seen.drains += 1),
    closed: (reason) => seen.ends.push(reason),
  });
  return seen;
}

describe('a memory link on a virtual clock', () => {
  it('delivers a frame after its time on the wire and the latency', () => {
    const clock = new VirtualClock();
    const { a, b } = memoryLinkPair({ clock, latencyMs: 30, bytesPerSecond: 1_000_000 });
    const atB = watch(b, clock);
    a.send(new Uint8Array(10_000), 'blocks');
    a.send(new Uint8Array(10_000), 'blocks');
    clock.advance(1_000);
    expect(atB.frames.map(({ atMs }) => atMs)).toEqual([40, 50]);
  });

  it('lets control frames overtake waiting blocks', () => {
    const clock = new VirtualClock();
    const { a, b } = memoryLinkPair({ clock, bytesPerSecond: 1_000_000 });
    const atB = watch(b, clock);
    for (const first of [1, 2, 3]) a.send(new Uint8Array(1_000).fill(first), 'blocks');
    a.send(new Uint8Array(1_000).fill(9), 'control');
    clock.advance(1_000);
    expect(atB.frames.map(({ first }) => first)).toEqual([1, 9, 2, 3]);
  });

  it('follows a change of bandwidth', () => {
    const clock = new VirtualClock();
    const { a, b } = memoryLinkPair({ clock, bytesPerSecond: 1_000_000 });
    const atB = watch(b, clock);
    a.send(new Uint8Array(1_000), 'blocks');
    clock.advance(1);
    a.bytesPerSecond = 100_000;
    a.send(new Uint8Array(1_000), 'blocks');
    clock.advance(1_000);
    expect(atB.frames.map(({ atMs }) => atMs)).toEqual([1, 11]);
  });

  it('is not sendable at the ceiling and drains once it is below', () => {
    const clock = new VirtualClock();
    const { a, b } = memoryLinkPair({ clock, bytesPerSecond: 1_000_000, ceilingBytes: 20_000 });
    const atA = watch(a, clock);
    watch(b, clock);
    a.send(new Uint8Array(19_999), 'blocks');
    expect(a.sendable()).toBe(true);
    a.send(new Uint8Array(1), 'blocks');
    expect(a.sendable()).toBe(false);
    clock.advance(1_000);
    expect(a.sendable()).toBe(true);
    expect(atA.drains).toBe(1);
  });

  it('tells nobody when it is cut, and delivers nothing more', () => {
    const clock = new VirtualClock();
    const pair = memoryLinkPair({ clock, latencyMs: 10 });
    const [atA, atB] = [watch(pair.a, clock), watch(pair.b, clock)];
    pair.a.send(new Uint8Array(10), 'control');
    clock.advance(5);
    pair.cut();
    pair.b.send(new Uint8Array(10), 'control');
    clock.advance(10_000);
    expect([atA.frames, atB.frames, atA.ends, atB.ends]).toEqual([[], [], [], []]);
  });

  it('ends both ends with the reason when it fails', () => {
    const clock = new VirtualClock();
    const pair = memoryLinkPair({ clock, latencyMs: 10 });
    const [atA, atB] = [watch(pair.a, clock), watch(pair.b, clock)];
    pair.fail('the network is gone');
    clock.advance(0);
    expect([atA.ends, atB.ends]).toEqual([['the network is gone'], ['the network is gone']]);
  });

  it('wants a clock for latency', () => {
    expect(() => memoryLinkPair({ latencyMs: 1 })).toThrow(TypeError);
  });
});
