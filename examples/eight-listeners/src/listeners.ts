import { createHash } from 'node:crypto';
import { createSwarm, type Swarm, type TierBytes, type Track } from '@sonantica/swarm';

/** One listener's part in the example. */
export interface Listener {
  readonly name: string;
  readonly aula: string;
  readonly swarm: Swarm;
  readonly track: Track;
}

/** What one listener ended with. Sizes in bytes, times in milliseconds. */
export interface Heard {
  readonly listener: Listener;
  readonly sha256: string;
  readonly bytes: TierBytes;
  readonly ms: number;
}

/** Where the example's parts are. */
export interface Place {
  readonly tracker: string;
  readonly origin: string;
  readonly trackId: string;
}

const AULAS = ['red', 'blue'] as const;

/** The listeners, one joining after another over `spreadMs`, in turn in two Aulas. */
export async function* joinOneByOne(count: number, spreadMs: number, place: Place): AsyncGenerator<Listener> {
  for (let i = 0; i < count; i++) {
    if (i > 0) await new Promise((resolve) => setTimeout(resolve, spreadMs / Math.max(1, count - 1)));
    const aula = AULAS[i % AULAS.length] ?? AULAS[0];
    const swarm = createSwarm({ tracker: place.tracker, origin: place.origin, aulaId: aula });
    yield { name: `listener ${i + 1}`, aula, swarm, track: swarm.open(place.trackId) };
  }
}

/** Fetches the whole track and reads it back, as a player would. */
export async function hear(listener: Listener): Promise<Heard> {
  const begun = performance.now();
  await listener.track.download();
  const ms = Math.round(performance.now() - begun);
  const hash = createHash('sha256');
  for await (const bytes of listener.track.stream()) hash.update(bytes);
  return { listener, sha256: hash.digest('hex'), bytes: listener.track.stats().bytes, ms };
}
