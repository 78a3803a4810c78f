import type { RtcImplementation } from '@sonantica/swarm';

/**
 * A process that gathers candidates for many wrtc connections at once does quadratic work: each that begins makes those
 * under way open all their sockets anew (20 at once take 94 file descriptors each, one after another 18). Listeners on
 * machines of their own would not notice each other, so those of one process begin this far apart, in milliseconds.
 */
const APART_MS = 20;

/** Who waits for its turn. */
interface Waiting {
  readonly isGivenUp: () => boolean;
  readonly go: () => void;
}

/** Lets one after another go, those first for whom somebody waits. */
class Gate {
  readonly #answers: Waiting[] = [];
  readonly #offers: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  turn(kind: 'offer' | 'answer', isGivenUp: () => boolean): Promise<void> {
    return new Promise((go) => {
      (kind === 'offer' ? this.#offers : this.#answers).push({ isGivenUp, go });
      if (this.#timer === undefined) this.#next();
    });
  }

  #next(): void {
    this.#timer = undefined;
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      next.go();
      // Who gave up in the meantime opens no sockets and takes no turn.
      if (next.isGivenUp()) continue;
      this.#timer = setTimeout(() => this.#next(), APART_MS);
      return;
    }
  }

  #take(): Waiting | undefined {
    return this.#answers.shift() ?? this.#offers.shift();
  }
}

/** The same implementation, its connections beginning to gather one after another. */
export function gatherInTurn(rtc: RtcImplementation): RtcImplementation {
  const gate = new Gate();
  return {
    ...rtc,
    // Gathering begins with the description that is made here; nothing was told to the other end before.
    RTCPeerConnection: class extends rtc.RTCPeerConnection {
      #isClosed = false;

      override async createOffer(options?: { iceRestart?: boolean }): Promise<{ readonly sdp?: string }> {
        await gate.turn('offer', () => this.#isClosed);
        return super.createOffer(options);
      }

      override async createAnswer(): Promise<{ readonly sdp?: string }> {
        await gate.turn('answer', () => this.#isClosed);
        return super.createAnswer();
      }

      override close(): unknown {
        this.#isClosed = true;
        return super.close();
      }
    },
  };
}
