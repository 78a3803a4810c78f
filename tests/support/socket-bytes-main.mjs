import { Socket } from 'node:net';
import { startTracker } from '@sonantica/tracker';

// Prints what a socket as a server makes it leaves on the heap, in bytes, garbage not collected; with `started`, in a
// process in which a tracker runs.

if (process.argv[2] === 'started') await startTracker({ port: 0 });

function make(count) {
  const options = { allowHalfOpen: true, pauseOnCreate: false, readable: true, writable: true };
  const marks = { readableHighWaterMark: 65_536, writableHighWaterMark: 65_536 };
  return Array.from({ length: count }, () => new Socket({ handle: undefined, ...options, ...marks }));
}

const COUNT = 2_000;
make(COUNT / 4);
globalThis.gc();
const before = process.memoryUsage().heapUsed;
const kept = make(COUNT);
process.stdout.write(String(Math.round((process.memoryUsage().heapUsed - before) / kept.length)));
process.exit();
