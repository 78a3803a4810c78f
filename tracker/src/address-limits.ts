import { RateLimiterMemory, RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';

/** The bounds of one address and of all; 0 means none. */
export interface AddressLimitOptions {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly connectionsPerMinutePerAddress: number;
  readonly requestsPerMinutePerAddress: number;
}

/** Whether something may be done, and if not, in how many seconds it may be tried again. */
export type Allowance =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly retryAfterSeconds: number };

const ALLOWED: Allowance = { allowed: true };
/** When one address or all have their sockets, one of them has to go first: nobody knows when. */
const RETRY_WHEN_FULL_SECONDS = 30;

/**
 * Counts sockets and requests by address. Rates are kept by rate-limiter-flexible, in memory; its other stores
 * keep them for several trackers together.
 */
export class AddressLimits {
  readonly #options: AddressLimitOptions;
  readonly #connections = new Map<string, number>();
  readonly #connectionRate: RateLimiterAbstract | undefined;
  readonly #requestRate: RateLimiterAbstract | undefined;
  #total = 0;

  constructor(options: AddressLimitOptions) {
    this.#options = options;
    this.#connectionRate = perMinute('connections', options.connectionsPerMinutePerAddress);
    this.#requestRate = perMinute('requests', options.requestsPerMinutePerAddress);
  }

  /** Sockets that are open. */
  get connectionCount(): number {
    return this.#total;
  }

  /** Whether an address, or one that does not count, may open a socket now. Counts the attempt. */
  mayConnect(key: string | undefined): Allowance | Promise<Allowance> {
    const isFull = this.#isFull(key);
    if (isFull || key === undefined || this.#connectionRate === undefined) {
      return isFull ? { allowed: false, retryAfterSeconds: RETRY_WHEN_FULL_SECONDS } : ALLOWED;
    }
    return consume(this.#connectionRate, key);
  }

  /** Takes note of a socket that opened; false when there is no room for it after all. */
  connected(key: string | undefined): boolean {
    if (this.#isFull(key)) return false;
    this.#total++;
    if (key !== undefined) this.#connections.set(key, (this.#connections.get(key) ?? 0) + 1);
    return true;
  }

  /** Takes note of a socket that closed. */
  disconnected(key: string | undefined): void {
    this.#total--;
    if (key === undefined) return;
    const left = (this.#connections.get(key) ?? 1) - 1;
    if (left === 0) this.#connections.delete(key);
    else this.#connections.set(key, left);
  }

  /** Whether an address may ask for a page now. Counts the attempt. */
  async mayRequest(key: string | undefined): Promise<Allowance> {
    if (key === undefined || this.#requestRate === undefined) return ALLOWED;
    return consume(this.#requestRate, key);
  }

  #isFull(key: string | undefined): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#options;
    if (maxConnections > 0 && this.#total >= maxConnections) return true;
    if (key === undefined || maxConnectionsPerAddress === 0) return false;
    return (this.#connections.get(key) ?? 0) >= maxConnectionsPerAddress;
  }
}

function perMinute(keyPrefix: string, points: number): RateLimiterAbstract | undefined {
  return points === 0 ? undefined : new RateLimiterMemory({ keyPrefix, points, duration: 60 });
}

async function consume(rate: RateLimiterAbstract, key: string): Promise<Allowance> {
  try {
    await rate.consume(key);
    return ALLOWED;
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    return { allowed: false, retryAfterSeconds: Math.ceil(refused.msBeforeNext / 1_000) };
  }
}
