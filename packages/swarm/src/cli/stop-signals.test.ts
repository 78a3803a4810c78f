import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { stopOnSignal } from './stop-signals.ts';

it.each(['SIGINT', 'SIGTERM'] as const)('%s stops, and leaves the next signal to the system', (signal) => {
  const process = new EventEmitter();
  const stop = new AbortController();
  stopOnSignal(stop, process as unknown as NodeJS.Process);
  expect([process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')]).toEqual([1, 1]);
  process.emit(signal, signal);
  expect(stop.signal.reason).toMatchObject({ code: 'aborted', message: `stopped by ${signal}` });
  expect([process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')]).toEqual([0, 0]);
});
