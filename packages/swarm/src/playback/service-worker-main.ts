/** A service worker ready to use: `navigator.serviceWorker.register('/sonantica-worker.js')`. */
import { startSonantica } from './service-worker.ts';
import type { WorkerScope } from './worker-scope.ts';

startSonantica(globalThis as unknown as WorkerScope);
