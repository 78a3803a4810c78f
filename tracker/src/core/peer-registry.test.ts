import { ChunkSet, parseAulaId, parsePeerId, parseRootHash, parseTrackId, type Scope } from '@sonantica/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isVisibleTo, PeerRegistry } from './peer-registry.ts';
import type { Peer } from './roster.ts';

const ROOT = parseRootHash('c2'.repeat(32));
const socket = { send: () => {}, close: () => {} };
const song = (n: number) => parseTrackId(`song-${n}`);
const CHUNKS = 9;

/** What the registry should know of a peer, in the plainest form. */
interface Expected {
  aula: number | undefined;
  parked: boolean;
  readonly songs: Map<number, { have: Set<number>; scope: Scope }>;
}

type Step =
  | {
      readonly do: 'announce';
      readonly song: number;
      readonly have: readonly number[];
      readonly scope: Scope;
    }
  | {
      readonly do: 'update';
      readonly song: number;
      readonly gained: readonly number[];
      readonly lost: readonly number[];
    }
  | { readonly do: 'leave'; readonly song: number }
  | { readonly do: 'enter'; readonly aula: number }
  | { readonly do: 'part' | 'park' | 'unpark' | 'remove' };

const chunks = fc.uniqueArray(fc.integer({ min: 0, max: CHUNKS - 1 }));
const songs = fc.integer({ min: 0, max: 2 });
const steps = fc.array(
  fc.record({
    who: fc.integer({ min: 0, max: 5 }),
    step: fc.oneof(
      fc.record({
        do: fc.constant('announce' as const),
        song: songs,
        have: chunks,
        scope: fc.constantFrom<Scope>('global', 'aula'),
      }),
      fc.record({ do: fc.constant('update' as const), song: songs, gained: chunks, lost: chunks }),
      fc.record({ do: fc.constant('leave' as const), song: songs }),
      fc.record({ do: fc.constant('enter' as const), aula: fc.integer({ min: 0, max: 1 }) }),
      fc.record({
        do: fc.constantFrom('part' as const, 'park' as const, 'unpark' as const, 'remove' as const),
      }),
    ),
  }),
  { maxLength: 60 },
);

function follow(registry: PeerRegistry, peer: Peer, expected: Expected, step: Step): void {
  switch (step.do) {
    case 'announce':
      registry.announce(
        peer,
        { trackId: song(step.song), root: ROOT, chunkCount: CHUNKS },
        ChunkSet.of(CHUNKS, step.have),
        step.scope,
      );
      expected.songs.set(step.song, { have: new Set(step.have), scope: step.scope });
      return;
    case 'update': {
      const member = registry.member(peer, song(step.song), ROOT);
      const known = expected.songs.get(step.song);
      expect(member === undefined).toBe(known === undefined);
      if (member === undefined || known === undefined) return;
      registry.update(member, step.gained, step.lost);
      for (const chunk of step.gained) known.have.add(chunk);
      for (const chunk of step.lost) known.have.delete(chunk);
      return;
    }
    case 'leave': {
      const member = registry.member(peer, song(step.song), ROOT);
      if (member !== undefined) registry.leave(member);
      expected.songs.delete(step.song);
      return;
    }
    case 'enter':
      registry.enterAula(peer, parseAulaId(`aula-${step.aula}`));
      expected.aula = step.aula;
      return;
    case 'part':
      registry.leaveAula(peer);
      expected.aula = undefined;
      return;
    case 'park':
      registry.park(peer);
      expected.parked = true;
      return;
    case 'unpark':
      registry.unpark(peer);
      expected.parked = false;
      return;
    case 'remove':
      registry.remove(peer);
  }
}

describe('the registry', () => {
  it('agrees with the plainest model after any history, and is empty in the end', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const registry = new PeerRegistry();
        const here = new Map<number, { peer: Peer; expected: Expected }>();
        for (const { who, step } of history) {
          let entry = here.get(who);
          if (entry === undefined) {
            const id = parsePeerId(String(who).padStart(22, '0'));
            const expected: Expected = { aula: undefined, parked: false, songs: new Map() };
            entry = { peer: registry.add(id, socket, 0), expected };
            here.set(who, entry);
          }
          follow(registry, entry.peer, entry.expected, step);
          if (step.do === 'remove') here.delete(who);
          compare(registry, [...here.values()]);
        }
        for (const { peer } of here.values()) registry.remove(peer);
        const { peerCount, swarmCount, memberCount, aulaCount } = registry;
        expect({ peerCount, swarmCount, memberCount, aulaCount }).toEqual({
          peerCount: 0,
          swarmCount: 0,
          memberCount: 0,
          aulaCount: 0,
        });
      }),
      { numRuns: 300 },
    );
  });
});

function compare(registry: PeerRegistry, here: readonly { peer: Peer; expected: Expected }[]): void {
  const inSong = (n: number) => here.filter(({ expected }) => expected.songs.has(n));
  expect(registry.peerCount).toBe(here.length);
  expect(registry.swarmCount).toBe([0, 1, 2].filter((n) => inSong(n).length > 0).length);
  expect(registry.aulaCount).toBe(
    new Set(here.flatMap(({ expected: { aula } }) => (aula === undefined ? [] : [aula]))).size,
  );
  for (const { peer, expected } of here) {
    for (const [n, { have }] of expected.songs) {
      const member = registry.member(peer, song(n), ROOT);
      if (member === undefined) throw new Error('missing');
      for (let chunk = 0; chunk < CHUNKS; chunk++) expect(member.has(chunk)).toBe(have.has(chunk));
      const others = inSong(n);
      const sizes = others.map((other) => other.expected.songs.get(n)?.have.size ?? 0);
      expect(member.swarm.bitmaps.rows).toBe(sizes.filter((size) => size > 0 && size < CHUNKS).length);
      const aulas = others.flatMap((other) => (other.expected.parked ? [] : [other.expected.aula]));
      expect(member.swarm.rooms.size).toBe(new Set(aulas.filter((aula) => aula !== undefined)).size);
      if (expected.parked) continue;
      const seen = others.filter(
        (other) =>
          other.peer === peer ||
          (!other.expected.parked &&
            (other.expected.songs.get(n)?.scope === 'global' ||
              (expected.aula !== undefined && other.expected.aula === expected.aula))),
      );
      const complete = seen.filter((other) => other.expected.songs.get(n)?.have.size === CHUNKS).length;
      expect(registry.counts(member)).toEqual({ complete, incomplete: seen.length - complete });
    }
    for (const other of here) {
      if (other.peer === peer) continue;
      const isMate = expected.aula !== undefined && expected.aula === other.expected.aula;
      const shares = [...expected.songs.keys()].some((n) => other.expected.songs.get(n)?.scope === 'global');
      expect(isVisibleTo(peer, other.peer)).toBe(isMate || shares);
    }
  }
}
