import type { RtcImplementation } from '@sonantica/swarm';

/**
 * A process that gathers candidates for many wrtc connections at once does quadratic work: each that begins makes those
 * under way open all their sockets anew (20 at once take 94 file descriptors each, one after another 18). Listeners on
 * machines of their own would not notice each other, so those of one process begin this far apart, in milliseconds.
 */
const APART_MS = 20;
/** Connections of one process that are being made side by side: more of them make each of them later, and none sooner. */
const SIDE_BY_SIDE = 4;
/** One that takes longer than this keeps no other waiting, in milliseconds. */
const SLOW_AFTER_MS = 1_000;

/** A listener, as a gate knows it. */
interface Guest {
  /** Connections that began. */
  begun: number;
}

/** Who waits for its turn. */
interface Waiting {
  readonly guest: Guest;
  readonly isGivenUp: () => boolean;
  readonly go: () => void;
}

/**
 * Lets the connections of one process begin one after another: those first for whom somebody waits, then those of the
 * listener who has begun the fewest, so that each has one before anybody has many, as on machines of their own.
 */
export class GatheringGate {
  readonly #answers: Waiting[] = [];
  readonly #offers: Waiting[] = [];
  readonly #underWay = new Set<object>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The same implementation for one listener, its connections beginning in turn with those of the others. */
  for(rtc: RtcImplementation): RtcImplementation {
    const guest: Guest = { begun: 0 };
    const turn = (kind: 'offer' | 'answer', connection: Gated) => this.#turn(kind, guest, connection);
    const over = (connection: object) => this.#over(connection);
    return {
      ...rtc,
      // Gathering begins with the description that is made here; nothing was told to the other end before.
      RTCPeerConnection: class extends rtc.RTCPeerConnection {
        isClosed = false;

        override async createOffer(options?: { iceRestart?: boolean }): Promise<{ readonly sdp?: string }> {
          await turn('offer', this);
          return super.createOffer(options);
        }

        override async createAnswer(): Promise<{ readonly sdp?: string }> {
          await turn('answer', this);
          return super.createAnswer();
        }

        override close(): unknown {
          this.isClosed = true;
          over(this);
          return super.close();
        }
      },
    };
  }

  #turn(kind: 'offer' | 'answer', guest: Guest, connection: Gated): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        if (!connection.isClosed) this.#begin(guest, connection);
        resolve();
      };
      const list = kind === 'offer' ? this.#offers : this.#answers;
      list.push({ guest, isGivenUp: () => connection.isClosed, go });
      if (this.#timer === undefined) this.#next();
    });
  }

  #begin(guest: Guest, connection: Gated): void {
    guest.begun++;
    this.#underWay.add(connection);
    connection.addEventListener('connectionstatechange', () => {
      if (connection.connectionState !== 'new' && connection.connectionState !== 'connecting')
        this.#over(connection);
    });
    setTimeout(() => this.#over(connection), SLOW_AFTER_MS).unref();
  }

  #over(connection: object): void {
    if (this.#underWay.delete(connection) && this.#timer === undefined) this.#next();
  }

  #next(): void {
    this.#timer = undefined;
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      // Who gave up in the meantime opens no sockets and takes no turn.
      const isGivenUp = next.isGivenUp();
      next.go();
      if (isGivenUp) continue;
      this.#timer = setTimeout(() => this.#next(), APART_MS);
      return;
    }
  }

  #take(): Waiting | undefined {
    const answer = this.#answers.shift();
    if (answer !== undefined || this.#underWay.size >= SIDE_BY_SIDE) return answer;
    let least: Waiting | undefined;
    for (const each of this.#offers)
      if (least === undefined || each.guest.begun < least.guest.begun) least = each;
    if (least !== undefined) this.#offers.splice(this.#offers.indexOf(least), 1);
    return least;
  }
}

/** What a gate sees of a connection. */
interface Gated {
  readonly isClosed: boolean;
  readonly connectionState: string;
  addEventListener(type: string, listener: (event: unknown) => void): void;
}
