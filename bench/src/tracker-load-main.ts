import { answer } from './tracker-child.ts';
import { arrive } from './tracker-arrivals.ts';
import { churn } from './tracker-churn.ts';
import { Load } from './tracker-load.ts';
import type { FromLoad, ToLoad } from './tracker-messages.ts';
import { newcomers } from './tracker-newcomers.ts';
import { Pairs } from './tracker-pairs.ts';
import { probe } from './tracker-probe.ts';

// Peers that load a tracker, in a process of their own, told what to do over IPC.

const load = new Load();
let pairs: Pairs | undefined;

answer<ToLoad, FromLoad>(async (message) => {
  switch (message.type) {
    case 'join':
      return load.join(message.subject, message.url, message);
    case 'idle':
      await load.idle(message.subject, message.url, message.count);
      return { type: 'idling', peers: message.count };
    case 'probe':
      return { type: 'probed', ...(await probe(load, message)) };
    case 'pair':
      pairs = await Pairs.start(load, message.url, message.count);
      return { type: 'paired' };
    case 'signal':
      if (pairs === undefined) throw new Error('nobody to signal');
      return { type: 'signalled', ...(await pairs.signal(message.forMs)) };
    case 'newcomers':
      return { type: 'joinedAnew', ...(await newcomers(message.url, message.forMs)) };
    case 'churn':
      return { type: 'churned', swarms: await churn(load, message) };
    case 'arrive':
      return { type: 'arrived', ...(await arrive(load, message)) };
    case 'count':
      return { type: 'counted', open: load.connected };
    case 'disconnect':
      await load.disconnect();
      return { type: 'disconnected' };
  }
});
