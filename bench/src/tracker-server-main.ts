import { letHelpersGiveWay } from '@sonantica/tracker';
import { answer } from './tracker-child.ts';
import type { FromServer, ToServer } from './tracker-messages.ts';
import { startSubject } from './tracker-subjects.ts';

// What is measured, in a process of its own, started with --expose-gc and told what to do over IPC.

// As the tracker's command does.
letHelpersGiveWay();

answer<ToServer, FromServer>(async (message) => {
  if (message.type === 'start') {
    const port = await startSubject(message.subject, message.port, message.rival);
    return { type: 'listening', url: `ws://127.0.0.1:${port}`, port };
  }
  const { user, system } = process.cpuUsage();
  if (message.collect) {
    // What was freed by finalizers and between turns goes with the second.
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return {
    type: 'sample',
    cpuMs: (user + system) / 1_000,
    systemMs: system / 1_000,
    heapBytes: heapUsed + external,
    residentBytes: rss,
  };
});
