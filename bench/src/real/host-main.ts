import { costSoFar, serveBench } from './child-side.ts';
import { ListenerHost } from './listener-host.ts';
import type { FromHost, ToHost } from './messages.ts';

// Listeners over real WebRTC, in a process of their own.

let host: ListenerHost | undefined;

serveBench<ToHost, FromHost>(async (message, tell) => {
  if (message.type === 'orders') {
    host = new ListenerHost(message.orders, tell);
    await host.start();
    tell({ type: 'ready', cost: costSoFar() });
  } else {
    const cost = costSoFar();
    tell({ type: 'facts', facts: (await host?.finish()) ?? [], cost });
  }
});
