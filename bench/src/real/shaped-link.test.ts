import { encodePeerFrame } from '@sonantica/wire';
import type { PeerLink, PeerLinkHandler } from '@sonantica/swarm';
import { memoryLinkPair, peerLinkSuite, VirtualClock } from '@sonantica/swarm/testing';
import { describe, expect, it } from 'vitest';
import type { PlayClock } from '../playback.ts';
import type { PeerKind } from '../scenario.ts';
import { Line } from './line.ts';
import { machineMs, RealClock } from './real-clock.ts';
import { ShapedLink, type AccessLine, type LinkMeter } from './shaped-link.ts';

const NOTHING: LinkMeter = {
  blockSent: () => {},
  blockArrived: () => {},
  control: () => {},
  blamed: () => {},
};
const BLOCK_BYTES = 16_384;

function access(
  clock: PlayClock,
  { kind = 'honest', upBytesPerMs = Number.POSITIVE_INFINITY, halfWayMs = 0, meter = NOTHING } = {} as {
    kind?: PeerKind;
    upBytesPerMs?: number;
    halfWayMs?: number;
    meter?: LinkMeter;
  },
): AccessLine {
  const down = new Line(clock, Number.POSITIVE_INFINITY);
  return { clock, up: new Line(clock, upBytesPerMs), down, halfWayMs, kind, meter, isCut: false };
}

describe('a shaped link', () => {
  const suite = peerLinkSuite(async () => {
    const { a, b } = memoryLinkPair();
    const clock = new RealClock(machineMs());
    const shaped = (link: PeerLink) =>
      new ShapedLink(link, access(clock, { upBytesPerMs: 100_000, halfWayMs: 1 }));
    return { a: shaped(a), b: shaped(b), dispose: () => clock.stop() };
  });
  for (const { name, run } of suite) it(name, run);
});

const block = (): Uint8Array =>
  encodePeerFrame({ type: 'block', handle: 1, chunk: 0, block: 0, bytes: new Uint8Array(BLOCK_BYTES) });

function heard(link: PeerLink): { frames: Uint8Array[]; closed: string[] } {
  const all = { frames: [] as Uint8Array[], closed: [] as string[] };
  const handler: PeerLinkHandler = {
    frame: (frame) => void all.frames.push(frame),
    drain: () => {},
    closed: (reason) => void all.closed.push(reason),
  };
  link.start(handler);
  return all;
}

describe('a shaped link in virtual time', () => {
  function pair(near: Parameters<typeof access>[1], meter: Partial<LinkMeter> = {}) {
    const clock = new VirtualClock();
    const { a, b } = memoryLinkPair({ clock });
    const line = access(clock, near);
    const sender = new ShapedLink(a, line);
    const receiver = new ShapedLink(
      b,
      access(clock, { ...near, kind: 'honest', meter: { ...NOTHING, ...meter } }),
    );
    heard(sender);
    return { clock, line, sender, at: heard(receiver) };
  }

  it('holds blocks to the uplink and adds both halves of the way', async () => {
    // 10 Mbit/s: a block and its header take 13.1 ms, the way 2 × 12.5 ms.
    const { clock, sender, at } = pair({ upBytesPerMs: 1_250, halfWayMs: 12.5 });
    sender.send(block(), 'blocks');
    sender.send(block(), 'blocks');
    expect(sender.bufferedBytes).toBe(2 * block().length);
    await clock.advanceAsync(37);
    expect(at.frames).toHaveLength(0);
    await clock.advanceAsync(3);
    expect(at.frames).toHaveLength(1);
    await clock.advanceAsync(13.2);
    expect(at.frames).toHaveLength(2);
  });

  it('lets control frames overtake blocks that wait', async () => {
    const { clock, sender, at } = pair({ upBytesPerMs: 1_250 });
    for (let i = 0; i < 10; i++) sender.send(block(), 'blocks');
    sender.send(encodePeerFrame({ type: 'ping', token: 7 }), 'control');
    await clock.advanceAsync(15);
    expect(at.frames.map((frame) => frame[0])).toEqual([8, 11]);
  });

  it.each([
    ['honest', true, true],
    ['liar', true, false],
    ['dead', false, true],
  ] as const)('of somebody %s brings a block: %s, and that unchanged: %s', async (kind, comes, isRight) => {
    const { clock, sender, at } = pair({ kind });
    sender.send(block(), 'blocks');
    await clock.advanceAsync(10);
    expect(at.frames).toHaveLength(comes ? 1 : 0);
    if (comes) expect(Buffer.from(at.frames[0] ?? []).equals(block())).toBe(isRight);
  });

  it('counts blocks by the nonce that the other end said', async () => {
    const counted: [string, number][] = [];
    const { clock, sender } = pair({}, { blockArrived: (nonce, bytes) => void counted.push([nonce, bytes]) });
    const nonce = 'ab'.repeat(16);
    sender.send(encodePeerFrame({ type: 'hello', version: 1, nonce }), 'control');
    sender.send(block(), 'blocks');
    await clock.advanceAsync(10);
    expect(counted).toEqual([[nonce, BLOCK_BYTES]]);
  });

  it('falls silent when its owner crashed, and tells nobody', async () => {
    const { clock, line, sender, at } = pair({});
    line.isCut = true;
    sender.send(block(), 'blocks');
    await clock.advanceAsync(1_000);
    expect(at).toEqual({ frames: [], closed: [] });
  });
});
