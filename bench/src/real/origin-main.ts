import { startOrigin, type RunningOrigin } from '@sonantica/origin';
import { bytesPerMs } from '../scenario.ts';
import { costSoFar, serveBench } from './child-side.ts';
import type { FromServer, ToServer } from './messages.ts';
import { machineMs, RealClock } from './real-clock.ts';
import { startUplink } from './uplink.ts';

// The production origin, behind an uplink of the asked rate, in a process of its own.

let origin: RunningOrigin | undefined;

serveBench<ToServer, FromServer>(async (message, tell) => {
  if (message.type === 'start-origin') {
    const { folder, port, upKbps } = message;
    origin = await startOrigin({ dir: folder, port: 0 });
    const url = await startUplink(new RealClock(machineMs()), origin.port, port, bytesPerMs(upKbps));
    tell({ type: 'listening', url });
  } else if (message.type === 'ask') {
    tell({ type: 'counts', audioBytes: origin?.stats().audioBytes ?? 0, cost: costSoFar() });
  }
});
