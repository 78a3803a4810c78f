/**
 * The part of `ServiceWorkerGlobalScope` that is used, by shape: TypeScript's `dom` and `webworker` libraries cannot
 * be loaded together, and `self` of either fits.
 */
export interface WorkerScope {
  readonly registration: { readonly scope: string };
  readonly clients: WorkerClients;
  skipWaiting(): Promise<void>;
  addEventListener(type: 'fetch', listener: (event: FetchEventLike) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEventLike) => void): void;
  addEventListener(type: 'install', listener: (event: InstallEventLike) => void): void;
  addEventListener(type: 'activate', listener: (event: ExtendableEventLike) => void): void;
}

/** The pages a worker speaks with. */
export interface WorkerClients {
  claim(): Promise<void>;
  get(id: string): Promise<WindowClientLike | undefined>;
  matchAll(options: { type: 'window' }): Promise<readonly WindowClientLike[]>;
}

/** One page. */
export interface WindowClientLike {
  readonly id: string;
  postMessage(message: unknown, transfer: Transferable[]): void;
}

/** An event that keeps the worker alive. */
export interface ExtendableEventLike {
  waitUntil(until: Promise<unknown>): void;
}

/** The worker is being installed. */
export interface InstallEventLike extends ExtendableEventLike {
  /** Says what is not for the worker (Service Worker Static Routing API); not every browser has it. */
  addRoutes?(rule: {
    readonly condition: { readonly not: { readonly urlPattern: string } };
    readonly source: 'network';
  }): Promise<void>;
}

/** A page's request. */
export interface FetchEventLike extends ExtendableEventLike {
  readonly request: Pick<Request, 'url' | 'method' | 'mode' | 'destination' | 'headers'>;
  readonly clientId: string;
  respondWith(response: Promise<Response>): void;
}

/** A page's message. */
export interface MessageEventLike extends ExtendableEventLike {
  readonly data: unknown;
  /** Who sent it. */
  readonly source: unknown;
  readonly ports: readonly MessagePort[];
}
