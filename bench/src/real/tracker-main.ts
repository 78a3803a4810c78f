import { startTracker } from '@sonantica/tracker';
import { costSoFar, serveBench } from './child-side.ts';
import type { FromServer, ToServer } from './messages.ts';

// The production tracker with its usual settings, in a process of its own.

serveBench<ToServer, FromServer>(async (message, tell) => {
  if (message.type === 'start-tracker') {
    const { url } = await startTracker({ port: message.port });
    tell({ type: 'listening', url });
  } else if (message.type === 'ask') {
    tell({ type: 'counts', audioBytes: 0, cost: costSoFar() });
  }
});
