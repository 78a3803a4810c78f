import { TRACKER_CLOSE } from '@sonantica/wire';
import type { SwarmStats } from '../options.ts';
import type { Swarm } from '../swarm.ts';

/** Who has waited this long for a tracker is told, in milliseconds. */
const PATIENCE_MS = 5_000;

/** What people are told of the trackers. */
export interface TrackerNewsOptions {
  readonly trackers: readonly string[];
  /** What the command does without one, such as `still trying`. */
  readonly meanwhile: string;
  /** Whether the end of an outage that was told is told too. */
  readonly tellsReturn: boolean;
  readonly hasToken: boolean;
}

/**
 * Decides what is worth a line: that no tracker admits this listener, once an outage and once more when it turns out to be
 * refused, and that one does again. Each event answers with the line, if any.
 */
export class TrackerNews {
  readonly #options: TrackerNewsOptions;
  /** Why each failed that did since the last one admitted us, by URL. */
  readonly #failures = new Map<string, string>();
  #told: 'nothing' | 'out of reach' | 'refused' = 'nothing';
  #wasUp = false;

  constructor(options: TrackerNewsOptions) {
    this.#options = options;
  }

  /** A tracker admitted this listener. */
  up(url: string): string | undefined {
    const wasTold = this.#told !== 'nothing';
    this.#failures.clear();
    this.#told = 'nothing';
    this.#wasUp = true;
    return wasTold && this.#options.tellsReturn ? `tracker ${url} is up` : undefined;
  }

  /** A tracker is gone, or did not come about; without a URL there is no way to any. */
  down(reason: string, url: string | undefined): string | undefined {
    for (const each of url === undefined ? this.#options.trackers : [url]) this.#failures.set(each, reason);
    // One that was lost may be back before anybody minds.
    const isOver = this.#options.trackers.every((each) => this.#failures.has(each));
    return isOver && (!this.#wasUp || this.#told !== 'nothing') ? this.#tell() : undefined;
  }

  /** {@link PATIENCE_MS} passed without any. */
  late(): string | undefined {
    return this.#tell();
  }

  #tell(): string | undefined {
    const kind = [...this.#failures.values()].some((reason) => refusalIn(reason) !== undefined)
      ? 'refused'
      : 'out of reach';
    if (this.#told === 'refused' || this.#told === kind) return undefined;
    this.#told = kind;
    return `${this.#options.trackers.map((url) => this.#state(url)).join(', ')}: ${this.#options.meanwhile}`;
  }

  #state(url: string): string {
    const reason = this.#failures.get(url);
    if (reason === undefined) return `tracker ${url} does not answer`;
    const refusal = refusalIn(reason);
    if (refusal === undefined) return `tracker ${url} is out of reach (${reason})`;
    const { code, why } = refusal;
    const wantsToken = code === TRACKER_CLOSE.notAuthorised && !this.#options.hasToken;
    return `tracker ${url} refuses (${why}${wantsToken ? '; see --token and --token-file' : ''})`;
  }
}

/** What is watched of a swarm. */
export type WatchedSwarm = Pick<Swarm, 'on' | 'ready' | 'contribution'> & {
  stats(): Pick<SwarmStats, 'trackerUp'>;
};

/** Tells of the trackers, a line at a time, until the answer is called. `options.trackers` are those of the swarm. */
export function tellOfTrackers(
  swarm: WatchedSwarm,
  options: TrackerNewsOptions,
  say: (line: string) => void,
): () => void {
  const news = new TrackerNews(options);
  const tell = (line: string | undefined) => line !== undefined && say(line);
  let patience: NodeJS.Timeout | undefined;
  let isHeard = true;
  const wait = () => {
    patience ??= setTimeout(() => tell(news.late()), PATIENCE_MS).unref();
  };
  const stopListening = swarm.on('tracker', ({ up, reason = 'no reason given', url }) => {
    if (!up || url === undefined) {
      tell(news.down(reason, url));
      return wait();
    }
    clearTimeout(patience);
    patience = undefined;
    tell(news.up(url));
  });
  void swarm.ready().then(
    () => {
      // Who takes no part waits for no tracker.
      if (isHeard && swarm.contribution.p2pEnabled && !swarm.stats().trackerUp) wait();
    },
    () => undefined,
  );
  return () => {
    isHeard = false;
    clearTimeout(patience);
    stopListening();
  };
}

/** What a tracker closed with a code of ours (4000 and above) says: it heard us and does not want us. */
function refusalIn(reason: string): { readonly code: number; readonly why: string } | undefined {
  const [, code, why] = /^closed with (4\d{3})(?:: (.+))?$/s.exec(reason) ?? [];
  return code === undefined ? undefined : { code: Number(code), why: why ?? `code ${code}` };
}
