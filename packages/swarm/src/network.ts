import type { IceServer } from '@sonantica/wire';
import type { Contribution } from './contribution.ts';
import { retryDelayMs } from './core/backoff.ts';
import type { Delivery } from './delivery.ts';
import type { Environment, LinkMaker } from './environment.ts';
import type { RtcIceServer } from './links/rtc-types.ts';
import type { Logger } from './log.ts';
import { Neighbourhood } from './neighbourhood.ts';
import type { SwarmEvents, SwarmOptions, TierBytes } from './options.ts';
import { TrackerClient } from './tracker/tracker-client.ts';
import { Uploads, type UploadsParts } from './uploads.ts';

const RECONNECT = { firstMs: 500, mostMs: 30_000 };

/** What a network is made of. */
export interface NetworkParts {
  /** URLs of trackers, at least one. */
  readonly trackers: readonly string[];
  readonly links: LinkMaker;
  readonly options: Pick<SwarmOptions, 'token' | 'iceServers' | 'iceTransportPolicy' | 'aulaHead'>;
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random' | 'openWebSocket'>;
  readonly nonce: string;
  readonly delivery: Delivery;
  readonly uploads: UploadsParts;
  readonly log: Logger;
  /** The listener's choice at present. */
  readonly contribution: () => Contribution;
  /** What the listener was given so far, by where it came from. */
  readonly delivered: () => TierBytes;
  /** A tracker admitted the listener, or is gone. */
  readonly trackerChanged: (event: SwarmEvents['tracker']) => void;
}

/** A listener's way to others, from when it takes part until it does not: the tracker, the links, who is met by them. */
export class Network {
  readonly neighbourhood: Neighbourhood;
  readonly #tracker: TrackerClient;
  readonly #delivery: Delivery;
  readonly #uploads: Uploads;

  /** Calls the tracker once {@link start} says so. */
  constructor(parts: NetworkParts) {
    const { trackers, links, environment, nonce, delivery, contribution, delivered, log } = parts;
    const { token, iceServers, iceTransportPolicy, aulaHead = true } = parts.options;
    const { clock, timers, random, openWebSocket } = environment;
    const uploads = new Uploads(parts.uploads);
    const connector = links.connector({
      selfId: () => neighbourhood.selfId,
      iceServers: () => (iceServers ?? neighbourhood.iceServers).map(toRtcIceServer),
      ...(iceTransportPolicy === undefined ? {} : { iceTransportPolicy }),
      handler: {
        send: (to, data) => void tracker.send({ type: 'signal', to, data }),
        link: (peerId, link) => neighbourhood.linked(peerId, link),
        failed: (peerId, error) => neighbourhood.linkFailed(peerId, error.message),
        declined: (peerId) => neighbourhood.linkDeclined(peerId),
        accepts: (peerId) => neighbourhood.accepts(peerId),
      },
    });
    const neighbourhood = new Neighbourhood({
      clock,
      timers,
      random,
      nonce,
      delivery,
      uploads,
      connector,
      contribution,
      delivered,
      maxWindowBytes: links.maxWindowBytes,
      maxLinks: links.maxLinks,
      aulaHead,
      log,
    });
    const tracker = new TrackerClient({
      urls: trackers,
      token,
      open: openWebSocket,
      after: timers.after,
      random: () => random.next(),
      retryDelayMs: (attempt) => retryDelayMs(attempt, RECONNECT, random),
      handler: {
        greeted: () => neighbourhood.trackerGreeted(),
        up: (welcome, url) => {
          log(`tracker ${url} is up`);
          neighbourhood.trackerUp(welcome);
          parts.trackerChanged({ up: true, url });
        },
        welcomedAgain: (welcome) => neighbourhood.trackerWelcomedAgain(welcome),
        message: (message) => neighbourhood.trackerSaid(message),
        down: (reason, url) => {
          log(`tracker ${url} is down: ${reason}`);
          neighbourhood.trackerDown();
          parts.trackerChanged({ up: false, reason, url });
        },
      },
    });
    neighbourhood.setTracker(tracker);
    this.neighbourhood = neighbourhood;
    this.#tracker = tracker;
    this.#delivery = delivery;
    this.#uploads = uploads;
  }

  get isTrackerUp(): boolean {
    return this.#tracker.isUp;
  }

  /** What may be given at most, in kilobits a second; missing: what the line takes. */
  setUploadLimit(kbps: number | undefined): void {
    this.#uploads.setLimit(kbps);
  }

  /** Calls the tracker: what the neighbourhood knows by now is told with the first words. */
  start(): void {
    this.#tracker.start();
  }

  /** Says goodbye to the tracker and to every peer. Resolves when no link keeps the process alive. */
  close(): Promise<void> {
    this.#tracker.close();
    const left = this.neighbourhood.close();
    this.#uploads.close();
    this.#delivery.setTracker('absent');
    return left;
  }
}

function toRtcIceServer({ urls, ...rest }: IceServer): RtcIceServer {
  return { ...rest, urls: typeof urls === 'string' ? urls : [...urls] };
}
