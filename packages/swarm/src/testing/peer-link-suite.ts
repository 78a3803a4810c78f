import type { PeerLink } from '../links/peer-link.ts';

/** Two ends of one link, connected and not started, and what cleans up after them. */
export interface PeerLinkPair {
  readonly a: PeerLink;
  readonly b: PeerLink;
  dispose?(): Promise<void> | void;
}

/** One requirement of the {@link PeerLink} interface. `run` rejects where it is not met. */
export interface PeerLinkTest {
  readonly name: string;
  run(): Promise<void>;
}

/** How long anything that must happen may take; real networks are slow, hanging is a failure. */
const PATIENCE_MS = 10_000;
/** Long enough for something that must not happen to have happened. */
const QUIET_MS = 60;

/**
 * What every link has to do, whoever wrote it. Knows no test framework: run each test as one of yours.
 * `makePair` is asked for a fresh pair each time.
 */
export function peerLinkSuite(makePair: () => Promise<PeerLinkPair>): PeerLinkTest[] {
  const test = (name: string, check: (pair: PeerLinkPair) => Promise<void>): PeerLinkTest => ({
    name,
    run: async () => {
      const pair = await makePair();
      try {
        await check(pair);
      } finally {
        pair.a.close('the test is over');
        pair.b.close('the test is over');
        await pair.dispose?.();
      }
    },
  });

  return [
    test('carries frames both ways, on both lanes', async ({ a, b }) => {
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      for (const lane of ['control', 'blocks'] as const) {
        a.send(pattern(100, 1), lane);
        b.send(pattern(200, 2), lane);
      }
      await atB.frames(2);
      await atA.frames(2);
      for (const frame of atB.received) expectSame(frame, pattern(100, 1));
      for (const frame of atA.received) expectSame(frame, pattern(200, 2));
    }),

    test('carries a frame of one byte and one of the largest size', async ({ a, b }) => {
      const atB = new Recorder(b);
      Recorder.of(a);
      expect(
        a.maxFrameBytes > 16_384 && a.maxFrameBytes <= 65_536,
        `a frame may have ${a.maxFrameBytes} bytes`,
      );
      a.send(pattern(1, 3), 'control');
      a.send(pattern(a.maxFrameBytes, 4), 'blocks');
      await atB.frames(2);
      const bySize = atB.received.toSorted((x, y) => x.length - y.length);
      expectSame(bySize[0], pattern(1, 3));
      expectSame(bySize[1], pattern(a.maxFrameBytes, 4));
    }),

    test('sends the bytes of a view, not those around it', async ({ a, b }) => {
      const atB = new Recorder(b);
      Recorder.of(a);
      a.send(pattern(1000, 5).subarray(300, 700), 'control');
      await atB.frames(1);
      expectSame(atB.received[0], pattern(1000, 5).slice(300, 700));
    }),

    test('has copied a frame when send returns', async ({ a, b }) => {
      const atB = new Recorder(b);
      Recorder.of(a);
      for (const lane of ['control', 'blocks'] as const) {
        const frame = pattern(20_000, 6);
        a.send(frame, lane);
        frame.fill(0);
      }
      await atB.frames(2);
      for (const frame of atB.received) expectSame(frame, pattern(20_000, 6));
    }),

    test('gives frames that the receiver may keep and change', async ({ a, b }) => {
      const atB = new Recorder(b);
      Recorder.of(a);
      a.send(pattern(5000, 7), 'control');
      await atB.frames(1);
      atB.received[0]?.fill(255);
      a.send(pattern(5000, 8), 'control');
      await atB.frames(2);
      expectSame(atB.received[1], pattern(5000, 8));
      expectSame(atB.received[0], new Uint8Array(5000).fill(255));
    }),

    test('keeps frames that arrive before start, in front of those after it', async ({ a, b }) => {
      Recorder.of(a);
      for (let i = 0; i < 5; i++) a.send(pattern(50, i), 'control');
      await quiet();
      const atB = new Recorder(b);
      a.send(pattern(50, 5), 'control');
      await atB.frames(6);
      atB.received.forEach((frame, i) => expectSame(frame, pattern(50, i)));
    }),

    test('loses and doubles nothing under load, and says when there is room again', async ({ a, b }) => {
      const atB = new Recorder(b);
      const atA = new Recorder(a);
      const frameBytes = 16_384;
      const frames = 256;
      for (let i = 0; i < frames; i++) {
        const drained = atA.nextDrain();
        if (!a.sendable()) await bounded(drained, 'drain after sendable() was false');
        a.send(numbered(frameBytes, i), i % 16 === 0 ? 'control' : 'blocks');
      }
      await atB.frames(frames);
      await quiet();
      expect(atB.received.length === frames, `${atB.received.length} frames arrived instead of ${frames}`);
      const seen = new Set<number>();
      for (const frame of atB.received) {
        const number = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
        expectSame(frame, numbered(frameBytes, number));
        seen.add(number);
      }
      expect(seen.size === frames, `${frames - seen.size} frames came twice in place of others`);
    }),

    test('delivers the last words that were sent before close', async ({ a, b }) => {
      const atB = new Recorder(b);
      Recorder.of(a);
      for (let i = 0; i < 4; i++) a.send(pattern(100, i), 'control');
      a.close('done');
      await atB.end();
      expect(atB.received.length === 4, `${atB.received.length} of 4 frames arrived`);
    }),

    test('tells both ends of the end, once each, and the closing end why', async ({ a, b }) => {
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      a.close('enough');
      a.close('again');
      await atA.end();
      await atB.end();
      b.close('late');
      await quiet();
      expect(
        atA.ends.length === 1 && atA.ends[0] === 'enough',
        `the closing end was told ${atA.ends.join()}`,
      );
      expect(atB.ends.length === 1, `the other end was told ${atB.ends.length} times`);
    }),

    test('tells an end that starts after the link ended', async ({ a, b }) => {
      a.close('too early');
      await quiet();
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      await atA.end();
      await atB.end();
      expect(atA.ends.length === 1 && atB.ends.length === 1, 'each end is told once');
    }),

    test('delivers nothing more to an end that closed', async ({ a, b }) => {
      const atA = new Recorder(a);
      Recorder.of(b);
      b.send(pattern(100, 9), 'control');
      b.send(pattern(100, 9), 'blocks');
      a.close('not interested');
      await atA.end();
      await quiet();
      expect(atA.received.length === 0, `${atA.received.length} frames came after close`);
    }),

    test('is not sendable after the end, and ignores what is sent', async ({ a, b }) => {
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      a.close('done');
      await atA.end();
      expect(!a.sendable(), 'a closed link is not sendable');
      a.send(pattern(10, 1), 'control');
      await atB.end();
      b.send(pattern(10, 1), 'control');
      expect(atB.received.length === 0, 'nothing arrives from a closed link');
    }),

    test('ends, and does not throw, at a frame of no bytes', async ({ a, b }) => {
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      a.send(new Uint8Array(0), 'control');
      await atA.end();
      await atB.end();
      expect(atB.received.length === 0, 'the frame did not arrive');
    }),

    test('ends, and does not throw, at a frame that is too large', async ({ a, b }) => {
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      a.send(new Uint8Array(a.maxFrameBytes + 1), 'blocks');
      await atA.end();
      await atB.end();
      expect(atB.received.length === 0, 'the frame did not arrive');
    }),

    test('may be closed from within its own handler', async ({ a, b }) => {
      let frames = 0;
      const ended = new Promise<void>((resolve) => {
        b.start({
          frame: () => {
            frames += 1;
            b.close('one is enough');
          },
          drain: () => undefined,
          closed: () => resolve(),
        });
      });
      const atA = new Recorder(a);
      for (let i = 0; i < 3; i++) a.send(pattern(100, i), 'control');
      await bounded(ended, 'closed at the closing end');
      await atA.end();
      expect(frames === 1, `${frames} frames came instead of 1`);
    }),
  ];
}

/** Remembers what a link told it, and can be waited for. */
class Recorder {
  readonly received: Uint8Array[] = [];
  readonly ends: string[] = [];
  #wake: (() => void)[] = [];
  #drained: (() => void)[] = [];

  /** Starts a link whose news the test does not look at. */
  static of(link: PeerLink): Recorder {
    return new Recorder(link);
  }

  constructor(link: PeerLink) {
    link.start({
      frame: (bytes) => {
        this.received.push(bytes);
        this.#notify();
      },
      drain: () => {
        for (const resolve of this.#drained.splice(0)) resolve();
      },
      closed: (reason) => {
        this.ends.push(reason);
        this.#notify();
      },
    });
  }

  async frames(count: number): Promise<void> {
    await this.#until(
      () => this.received.length >= count,
      () => `${count} frames (${this.received.length} came)`,
    );
  }

  async end(): Promise<void> {
    await this.#until(
      () => this.ends.length > 0,
      () => 'closed',
    );
  }

  nextDrain(): Promise<void> {
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  async #until(holds: () => boolean, what: () => string): Promise<void> {
    const held = (async () => {
      while (!holds()) await new Promise<void>((resolve) => this.#wake.push(resolve));
    })();
    await bounded(held, what);
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Bytes that tell their place and their frame apart. */
function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed * 17 + (i >> 8)) & 255;
  return bytes;
}

function numbered(length: number, number: number): Uint8Array {
  const frame = pattern(length, number);
  new DataView(frame.buffer).setUint32(0, number);
  return frame;
}

async function bounded(promise: Promise<void>, what: string | (() => string)): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no ${typeof what === 'string' ? what : what()} within ${PATIENCE_MS} ms`));
    }, PATIENCE_MS);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function quiet(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, QUIET_MS));
}

function expectSame(actual: Uint8Array | undefined, expected: Uint8Array): void {
  expect(actual !== undefined, 'a frame is missing');
  expect(
    actual.length === expected.length,
    `a frame has ${actual.length} bytes instead of ${expected.length}`,
  );
  const wrong = actual.findIndex((byte, i) => byte !== expected[i]);
  expect(wrong === -1, `byte ${wrong} of a frame of ${expected.length} is wrong`);
}

function expect(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(message);
}
