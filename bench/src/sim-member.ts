import type { SimListener, SimNode } from '@sonantica/swarm/testing';
import type { Listening } from './listening.ts';
import type { ListenerFacts, Sample } from './record.ts';
import type { PeerKind } from './scenario.ts';

/** A peer of a simulation, and what is counted of it. Sizes in bytes. */
export interface Member {
  readonly listener: SimListener | undefined;
  readonly node: SimNode;
  readonly kind: PeerKind;
  readonly aula: number;
  readonly index: number;
  listening: Listening | undefined;
  left: boolean;
  uploadedBytes: number;
  receivedBlockBytes: number;
  receivedAudioBytes: number;
  controlBytes: number;
}

/** How all stand at one moment. */
export function sampleOf(everybody: readonly Member[], atMs: number, originSentBytes: number): Sample {
  const members = everybody.filter(({ listening }) => listening !== undefined);
  const bytes = { origin: 0, aula: 0, global: 0, cache: 0 };
  let links = 0;
  for (const member of members) {
    const proven = provenBytes(member);
    bytes.origin += proven.origin;
    bytes.aula += proven.aula;
    bytes.global += proven.global;
    bytes.cache += proven.cache;
    if (!member.left) links += member.listener?.swarm.stats().links ?? 0;
  }
  const here = members.filter(({ left }) => !left);
  return {
    atMs,
    bytes,
    originSentBytes,
    opened: members.length,
    playing: here.filter(({ listening }) => listening?.current?.playback.isPlaying === true).length,
    stalled: here.filter(({ listening }) => listening?.current?.playback.isStalled === true).length,
    completed: members.filter(({ listening }) => listening?.isComplete === true).length,
    links: links / 2,
  };
}

/** What one peer ended with. `caught` and `blamed` name those it found out. */
export function factsOf(
  member: Member,
  caught: ReadonlySet<string> = new Set(),
  blamed: ReadonlySet<string> = new Set(),
): ListenerFacts {
  const { node, kind, aula, listening } = member;
  const { uploadedBytes, receivedBlockBytes, receivedAudioBytes, controlBytes } = member;
  return {
    name: node.name,
    kind,
    aula,
    isComplete: listening?.isComplete === true,
    bytes: provenBytes(member),
    uploadedBytes,
    receivedBlockBytes,
    receivedAudioBytes,
    controlBytes,
    caught: [...caught],
    blamed: [...blamed],
    plays: listening?.facts() ?? [],
  };
}

function provenBytes({ listener, listening, receivedAudioBytes }: Member): ListenerFacts['bytes'] {
  const { origin, aula, global, cache } = listener?.swarm.stats().bytes ?? {
    origin: receivedAudioBytes,
    aula: 0,
    global: 0,
    cache: 0,
  };
  return { origin, aula, global, cache: cache + (listening?.replayedBytes ?? 0) };
}
