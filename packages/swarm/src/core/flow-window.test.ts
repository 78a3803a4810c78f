import { describe, expect, it } from 'vitest';
import { LIMITS } from '@sonantica/wire';
import { FlowWindow } from './flow-window.ts';

const KIB = 1024;
const BLOCK = LIMITS.blockBytes;

describe('the size of a window', () => {
  it('starts at 64 KiB and knows no rate', () => {
    const window = new FlowWindow();
    expect(window.bytes).toBe(64 * KIB);
    expect(window.bytesPerSecond).toBe(0);
    expect(window.pingMs).toBe(0);
  });

  it.each([
    [{ maxBytes: 32 * KIB }, 32 * KIB],
    [{ startBytes: 16 * KIB }, 16 * KIB],
    [{ startBytes: 128 * KIB, maxBytes: 128 * KIB }, 128 * KIB],
  ])('starts within %j', (bounds, bytes) => {
    expect(new FlowWindow(bounds).bytes).toBe(bytes);
  });

  it.each([
    [19, 96 * KIB],
    [20, 64 * KIB],
  ])('begins, on a path of %i ms, with %i bytes: near, what a player needs comes in one go', (ms, bytes) => {
    const window = new FlowWindow();
    window.pinged(ms);
    expect(window.bytes).toBe(bytes);
    const narrow = new FlowWindow({ maxBytes: 32 * KIB });
    narrow.pinged(ms);
    expect(narrow.bytes).toBe(32 * KIB);
  });

  it('is not made wider by a short ping once its rate is known', () => {
    const window = new FlowWindow();
    window.pinged(50);
    new Link({ bytesPerSecond: 1_250_000, roundTripMs: 50 }).run(window, 1_000);
    const { bytes } = window;
    window.pinged(5);
    expect(window.bytes).toBe(bytes);
  });

  it('never grows over what one link may have outstanding', () => {
    const window = new FlowWindow({ maxBytes: 1e9 });
    const link = new Link({ bytesPerSecond: 1e9, roundTripMs: 100 });
    link.run(window, 5_000);
    expect(window.bytes).toBe(LIMITS.maxOutstandingBytes);
  });
});

describe.each([
  { name: 'a home line', bytesPerSecond: 1_250_000, roundTripMs: 50 },
  { name: 'a slow uplink', bytesPerSecond: 125_000, roundTripMs: 80 },
  { name: 'a fast line far away', bytesPerSecond: 5_000_000, roundTripMs: 120 },
  { name: 'a local network', bytesPerSecond: 12_500_000, roundTripMs: 2 },
])('on $name', ({ bytesPerSecond, roundTripMs }) => {
  it('fills at least nine tenths of the link within three seconds', () => {
    const window = new FlowWindow();
    const link = new Link({ bytesPerSecond, roundTripMs });
    link.run(window, 3_000);
    const before = link.deliveredBytes;
    link.run(window, 5_000);
    expect((link.deliveredBytes - before) / 5).toBeGreaterThanOrEqual(0.9 * bytesPerSecond);
  });

  it('keeps no queue of more than a few windows of what is under way', () => {
    const window = new FlowWindow();
    new Link({ bytesPerSecond, roundTripMs }).run(window, 8_000);
    const underWay = (bytesPerSecond * roundTripMs) / 1000;
    expect(window.bytes).toBeLessThanOrEqual(Math.max(64 * KIB, 4 * (underWay + 64 * KIB)));
  });

  it('measures the rate', () => {
    const window = new FlowWindow();
    new Link({ bytesPerSecond, roundTripMs }).run(window, 5_000);
    expect(window.bytesPerSecond / bytesPerSecond).toBeGreaterThan(0.8);
    expect(window.bytesPerSecond / bytesPerSecond).toBeLessThan(1.25);
  });
});

describe('a standing queue', () => {
  it('halves the window with every ping that shows it, down to where it started', () => {
    const window = grown();
    const before = window.bytes;
    for (let i = 0; i < 20 && window.bytes === before; i++) window.pinged(500);
    expect(window.bytes).toBe(before / 2);
    for (let i = 0; i < 10; i++) window.pinged(500);
    expect(window.bytes).toBe(64 * KIB);
  });

  it('is not seen in pings that jitter by a few milliseconds', () => {
    const window = grown();
    const before = window.bytes;
    for (const ping of [30, 5, 25, 8, 30, 6]) window.pinged(ping);
    expect(window.bytes).toBe(before);
  });

  it('keeps the window from growing', () => {
    const window = new FlowWindow();
    window.pinged(10);
    for (let i = 0; i < 20; i++) window.pinged(1_000);
    new Link({ bytesPerSecond: 1e9, roundTripMs: 20, pings: false }).run(window, 2_000);
    expect(window.bytes).toBe(64 * KIB);
  });
});

describe('growth', () => {
  it('ends where more than a near receiver’s socket buffer would be under way, however fast the path', () => {
    const near = new FlowWindow();
    near.pinged(0.5);
    new Link({ bytesPerSecond: 1e8, roundTripMs: 0.5, pings: false }).run(near, 2_000);
    expect(near.bytes).toBeLessThanOrEqual(192 * KIB);
    const unknown = new FlowWindow();
    new Link({ bytesPerSecond: 1e9, roundTripMs: 100, pings: false }).run(unknown, 5_000);
    expect(unknown.bytes).toBe(192 * KIB);
  });

  it('goes on on a long path, to what fills it', () => {
    const window = new FlowWindow();
    window.pinged(100);
    new Link({ bytesPerSecond: 1e9, roundTripMs: 100, pings: false }).run(window, 5_000);
    expect(window.bytes).toBe(1024 * KIB);
  });

  it('needs a window that was full', () => {
    const window = new FlowWindow();
    let now = 0;
    window.requested(BLOCK, now);
    for (let i = 0; i < 200; i++) {
      window.requested(2 * BLOCK, now);
      now += 20;
      window.delivered(BLOCK, BLOCK, now);
    }
    expect(window.bytes).toBe(64 * KIB);
  });

  it('comes again after a queue that was somebody else’s has gone', () => {
    const window = new FlowWindow();
    const link = new Link({ bytesPerSecond: 5_000_000, roundTripMs: 120 });
    link.run(window, 5_000);
    for (let i = 0; i < 10; i++) window.pinged(1_000);
    expect(window.bytes).toBe(64 * KIB);
    link.run(window, 30_000);
    const before = link.deliveredBytes;
    link.run(window, 5_000);
    expect((link.deliveredBytes - before) / 5).toBeGreaterThanOrEqual(0.8 * 5_000_000);
  });

  it('comes again when the path became faster', () => {
    const window = new FlowWindow();
    const link = new Link({ bytesPerSecond: 600_000, roundTripMs: 50 });
    link.run(window, 10_000);
    const before = window.bytes;
    link.bytesPerSecond = 20_000_000;
    link.run(window, 10_000);
    expect(window.bytes).toBeGreaterThanOrEqual(4 * before);
  });
});

describe('what a window starts from', () => {
  it('is the shortest ping: one that waited before it is no queue', () => {
    const window = new FlowWindow();
    window.pinged(400);
    window.pinged(20);
    expect(window.pingMs).toBe(20);
  });

  it('is not the time in which nothing was under way', () => {
    const window = new FlowWindow();
    window.requested(BLOCK, 0);
    window.begun(20_000);
    window.requested(2 * BLOCK, 20_000);
    window.delivered(BLOCK, BLOCK, 20_100);
    window.delivered(BLOCK, 0, 20_200);
    expect(window.bytesPerSecond).toBe((2 * BLOCK * 1000) / 200);
  });
});

describe('a slow line', () => {
  it('has a rate before it filled a window', () => {
    const window = new FlowWindow();
    window.requested(4 * BLOCK, 0);
    window.delivered(BLOCK, 3 * BLOCK, 1_900);
    expect(window.bytesPerSecond).toBe(0);
    window.delivered(BLOCK, 2 * BLOCK, 16_000);
    expect(window.bytesPerSecond).toBe((2 * BLOCK) / 16);
  });
});

describe('a short burst', () => {
  it('gives a rate, so that a source that was tried is known', () => {
    const window = new FlowWindow();
    window.requested(2 * BLOCK, 0);
    window.delivered(BLOCK, BLOCK, 100);
    window.delivered(BLOCK, 0, 200);
    expect(window.bytesPerSecond).toBe((2 * BLOCK * 1000) / 200);
  });
});

/** A window grown on a fast path whose pings took 5 ms. */
function grown(): FlowWindow {
  const window = new FlowWindow();
  window.pinged(5);
  new Link({ bytesPerSecond: 1e9, roundTripMs: 5, pings: false }).run(window, 5_000);
  expect(window.bytes).toBe(1024 * KIB);
  return window;
}

/** A path with one queue, whose receiver asks for as many blocks as the window takes. */
class Link {
  bytesPerSecond: number;
  readonly roundTripMs: number;
  readonly pings: boolean;
  deliveredBytes = 0;
  #nowMs = 0;
  /** When each block under way arrives, in order. */
  #arrivals: number[] = [];
  /** When the sender's uplink is free. */
  #freeMs = 0;
  #pingedMs = -1_000;

  constructor({
    bytesPerSecond,
    roundTripMs,
    pings = true,
  }: {
    bytesPerSecond: number;
    roundTripMs: number;
    pings?: boolean;
  }) {
    this.bytesPerSecond = bytesPerSecond;
    this.roundTripMs = roundTripMs;
    this.pings = pings;
  }

  run(window: FlowWindow, durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    this.#ask(window);
    for (;;) {
      const next = this.#arrivals[0];
      if (next === undefined || next > endMs) break;
      this.#nowMs = next;
      this.#arrivals.shift();
      this.deliveredBytes += BLOCK;
      window.delivered(BLOCK, this.#arrivals.length * BLOCK, next);
      if (this.pings && next - this.#pingedMs >= 1_000) {
        this.#pingedMs = next;
        window.pinged(this.roundTripMs + Math.max(0, this.#freeMs - next));
      }
      this.#ask(window);
    }
    this.#nowMs = endMs;
  }

  #ask(window: FlowWindow): void {
    const sendMs = (BLOCK * 1000) / this.bytesPerSecond;
    while ((this.#arrivals.length + 1) * BLOCK <= window.bytes) {
      this.#freeMs = Math.max(this.#freeMs, this.#nowMs + this.roundTripMs / 2) + sendMs;
      this.#arrivals.push(this.#freeMs + this.roundTripMs / 2);
      window.requested(this.#arrivals.length * BLOCK, this.#nowMs);
    }
  }
}

describe('a line', () => {
  it.each([
    ['of 8 MB/s', 8e6, 0.5, false],
    ['of 40 MB/s, 3 ms away', 40e6, 3, true],
    ['of 40 MB/s, 30 ms away', 40e6, 30, true],
  ])('%s carries several blocks a frame: %#', (_name, bytesPerSecond, roundTripMs, isFast) => {
    const window = new FlowWindow();
    window.pinged(roundTripMs);
    expect(window.isFast).toBe(false);
    new Link({ bytesPerSecond, roundTripMs, pings: false }).run(window, 3_000);
    expect(window.isFast).toBe(isFast);
  });

  it('that bears no large window carries one block a frame, however fast it is', () => {
    const window = new FlowWindow({ maxBytes: 64 * KIB });
    new Link({ bytesPerSecond: 40e6, roundTripMs: 0.5, pings: false }).run(window, 3_000);
    expect(window.isFast).toBe(false);
  });
});
