import { createSwarm, openMemoryStore } from '@sonantica/swarm';

// Its links keep it alive: it must not outlive the one that measures.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

/** A member of the Aula that holds a whole track and gives as much as is asked for. */
const [tracker = '', origin = '', aulaId = '', trackId = ''] = process.argv.slice(2);
const swarm = createSwarm({
  tracker,
  origin,
  aulaId,
  store: openMemoryStore(),
  contribution: { maxBandwidthMBPerDay: 100_000 },
});
await swarm.open(trackId).download();
process.send?.('ready');
