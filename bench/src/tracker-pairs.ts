import { monitorEventLoopDelay } from 'node:perf_hooks';
import { encodeClientMessage, parseAulaId, parsePeerId, type PeerId } from '@sonantica/wire';
import { monotonicMs, type Span } from './core-clock.ts';
import { sonanticaDialect } from './tracker-dialect-sonantica.ts';
import { pause, type Load } from './tracker-load.ts';

/** A signal every so often: within what one socket may. */
const SIGNAL_EVERY_MS = 105;
/** A signal that takes longer is lost, in milliseconds. */
const LOST_AFTER_MS = 10_000;
/** How often the process looks whether it is late, in milliseconds. */
const LATE_EVERY_MS = 1;
const HELLO = encodeClientMessage({ type: 'hello' });
/** As long as a candidate. */
const CANDIDATE = { candidate: 'x'.repeat(200) };

/** One honest listener: it signals its partner, and notes how long that takes. */
interface Listener {
  say: (text: string) => void;
  id: PeerId | undefined;
  partner: Listener | undefined;
  /** When it sent the signal that is under way. */
  sentMs: number | undefined;
  signals: Span[];
}

/** Honest listeners in pairs, an Aula each, that signal each other and measure how long that takes. */
export class Pairs {
  readonly #listeners: readonly Listener[];
  #failure: Error | undefined;

  private constructor(load: Load, url: string, count: number, ready: (failure?: Error) => void) {
    let joined = 0;
    this.#listeners = Array.from({ length: count * 2 }, (_, i) => {
      const listener: Listener = {
        say: () => {},
        id: undefined,
        partner: undefined,
        sentMs: undefined,
        signals: [],
      };
      load.open(
        url,
        sonanticaDialect.protocol,
        (say) => ({
          opened: () => {
            listener.say = say;
            say(HELLO);
            say(encodeClientMessage({ type: 'join', aulaId: parseAulaId(`honest-${i >> 1}`) }));
          },
          heard: (text) => {
            const { type, peerId } = JSON.parse(text) as { type: string; peerId?: string };
            if (type === 'signal') arrived(listener);
            else if (type === 'welcome' && peerId !== undefined) listener.id = parsePeerId(peerId);
            else if (type === 'peers' && ++joined === count * 2) ready();
            else if (type === 'error')
              this.#fail(new Error(`an honest listener was refused: ${text}`), ready);
          },
        }),
        (error) => this.#fail(error, ready),
      );
      return listener;
    });
    for (const [i, listener] of this.#listeners.entries()) listener.partner = this.#listeners[i ^ 1];
  }

  /** Connects so many pairs. Rejects when one of them is not let in. */
  static start(load: Load, url: string, count: number): Promise<Pairs> {
    return new Promise((resolve, reject) => {
      const pairs: Pairs = new Pairs(load, url, count, (failure) => {
        if (failure === undefined) resolve(pairs);
        else reject(failure);
      });
    });
  }

  /**
   * Lets them signal for a time, each at moments of its own; answers when each signal went and arrived, one way through the
   * tracker, and how late this process was itself. Rejects when one of them was ended or refused, or a signal lost.
   */
  async signal(forMs: number): Promise<{ signals: Span[]; lateP99Ms: number }> {
    const startMs = monotonicMs();
    const late = monitorEventLoopDelay({ resolution: LATE_EVERY_MS });
    late.enable();
    await Promise.all(this.#listeners.map((listener, i) => this.#signalFrom(listener, i, startMs + forMs)));
    late.disable();
    if (this.#failure !== undefined) throw this.#failure;
    const signals = this.#listeners.flatMap((listener) => listener.signals.splice(0));
    return { signals, lateP99Ms: Math.max(0, late.percentile(99) / 1e6 - LATE_EVERY_MS) };
  }

  async #signalFrom(listener: Listener, index: number, untilMs: number): Promise<void> {
    const to = listener.partner?.id;
    if (to === undefined) throw new Error('an honest listener has no partner');
    const text = encodeClientMessage({ type: 'signal', to, data: CANDIDATE });
    // Spread, so that they do not wait for each other.
    await pause((index / this.#listeners.length) * SIGNAL_EVERY_MS);
    while (monotonicMs() < untilMs && this.#failure === undefined) {
      const sentMs = monotonicMs();
      listener.sentMs = sentMs;
      listener.say(text);
      await pause(SIGNAL_EVERY_MS);
      while (listener.sentMs !== undefined && this.#failure === undefined) {
        if (monotonicMs() - sentMs > LOST_AFTER_MS) throw new Error('a signal was lost');
        await pause(1);
      }
    }
  }

  #fail(failure: Error, ready: (failure: Error) => void): void {
    this.#failure ??= failure;
    ready(failure);
  }
}

function arrived({ partner }: Listener): void {
  if (partner?.sentMs === undefined) return;
  partner.signals.push([partner.sentMs, monotonicMs()]);
  partner.sentMs = undefined;
}
