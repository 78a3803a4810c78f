import {
  ChunkSet,
  decodePeerFrame,
  encodePeerFrame,
  parseAulaId,
  parsePeerId,
  parseRootHash,
  parseTrackId,
  type PeerId,
  type PeerTier,
} from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CONTRIBUTION } from './contribution.ts';
import type { PeerLink, PeerLinkHandler } from './links/peer-link.ts';
import { Neighbourhood } from './neighbourhood.ts';
import { VirtualClock } from './testing/virtual-clock.ts';

const HONEST = parsePeerId('A'.repeat(22));
const IMPOSTOR = parsePeerId('M'.repeat(22));
const NONCE = 'bb'.repeat(16);

/** Answers whatever is asked of it with nothing. */
const mute = new Proxy({}, { get: () => () => undefined }) as never;

/** A listener’s neighbourhood, and links that say what the test does. */
function neighbourhood() {
  const clock = new VirtualClock();
  const made = new Neighbourhood({
    clock,
    timers: {
      after: (delayMs, run) => clock.schedule(delayMs, run),
      every: (periodMs, run) => {
        const again = () => {
          clock.schedule(periodMs, again);
          run();
        };
        return clock.schedule(periodMs, again);
      },
    },
    random: { next: () => 0.5 },
    nonce: 'aa'.repeat(16),
    delivery: new Proxy(
      { isBusy: false, gaveBytes: () => 0, askedFirst: (peers: unknown) => peers },
      { get: (known: Record<PropertyKey, unknown>, name) => known[name] ?? (() => undefined) },
    ) as never,
    uploads: mute,
    connector: mute,
    contribution: () => DEFAULT_CONTRIBUTION,
    delivered: mute,
    maxWindowBytes: 1e6,
    maxLinks: undefined,
    aulaHead: true,
    log: () => undefined,
  });
  const link = (peerId: PeerId, nonce = NONCE) => {
    let handler: PeerLinkHandler | undefined;
    const said: string[] = [];
    const asked: number[] = [];
    const end: PeerLink = {
      maxFrameBytes: 65_536,
      bufferedBytes: 0,
      start: (given) => void (handler = given),
      sendable: () => true,
      send: (frame) => {
        const message = decodePeerFrame(frame);
        if (message.type === 'close') said.push(message.reason);
        if (message.type === 'request') asked.push(message.handle);
        if (message.type === 'ping') handler?.frame(encodePeerFrame({ type: 'pong', token: message.token }));
      },
      close: () => undefined,
    };
    made.accepts(peerId);
    made.linked(peerId, end);
    handler?.frame(encodePeerFrame({ type: 'hello', version: 1, nonce }));
    return { said, asked, says: (frame: Uint8Array) => handler?.frame(frame) };
  };
  const named = (...peers: [PeerId, PeerTier][]) => {
    clock.advanceTo(clock.nowMs() + 1);
    made.trackerSaid({
      type: 'peers',
      peers: peers.map(([peerId, tier]) => ({ peerId, tier, have: 'none', uploadKbps: 0, rttMs: 0 })),
      complete: 0,
      incomplete: 0,
    } as never);
  };
  return { clock, made, link, named, ids: () => made.peers.map(({ peerId }) => peerId) };
}

describe('what a tracker says when it welcomes again', () => {
  it('is taken over: fresh servers, and how often it is to be told, under the same name', () => {
    const { made, clock } = neighbourhood();
    const sent: string[] = [];
    made.setTracker({
      isOpen: true,
      isUp: true,
      send: ({ type }: { type: string }) => sent.push(type),
    } as never);
    const welcome = (credential: string, announceIntervalMs: number) => ({
      type: 'welcome' as const,
      peerId: HONEST,
      iceServers: [{ urls: ['turn:turn.example.org'], username: '1', credential }],
      announceIntervalMs,
      serverTimeMs: 0,
      limits: {},
    });
    made.setAula(parseAulaId('aula'));
    made.trackerGreeted();
    made.trackerUp(welcome('old', 25_000));
    sent.length = 0;
    made.trackerWelcomedAgain({ ...welcome('new', 10_000), peerId: IMPOSTOR });
    expect(made.iceServers).toEqual([{ urls: ['turn:turn.example.org'], username: '1', credential: 'new' }]);
    expect(made.selfId).toBe(HONEST);
    expect(sent).toEqual([]);
    clock.advanceTo(clock.nowMs() + 11_000);
    expect(sent).toEqual(['join']);
  });
});

const GARBAGE = Uint8Array.of(255, 255, 255);

describe('who takes another’s nonce', () => {
  it('does not have that one banned', () => {
    const { link, ids, made } = neighbourhood();
    link(IMPOSTOR).says(GARBAGE);
    expect(made.accepts(IMPOSTOR)).toBe(false);
    expect(link(HONEST).said).toEqual([]);
    expect(ids()).toEqual([HONEST]);
  });

  it('is banned for what it sent when its link is over and another has the nonce', () => {
    const { link, made, ids } = neighbourhood();
    const impostor = link(IMPOSTOR);
    const lied = made.peers[0]?.id ?? '';
    impostor.says(encodePeerFrame({ type: 'close', reason: 'done' }));
    link(HONEST);
    made.ban(lied);
    expect(ids()).toEqual([HONEST]);
    expect([made.accepts(IMPOSTOR), made.accepts(HONEST)]).toEqual([false, true]);
  });

  it('keeps nobody out where the tracker names both', () => {
    const { link, named, ids, made } = neighbourhood();
    link(IMPOSTOR);
    expect(link(HONEST).said).toEqual(['duplicate']);
    named([HONEST, 'global'], [IMPOSTOR, 'global']);
    expect(link(HONEST).said).toEqual([]);
    expect(ids()).toEqual([IMPOSTOR, HONEST]);
    expect(new Set(made.peers.map(({ id }) => id)).size).toBe(2);
  });

  it('keeps nobody out for long who leaves the tracker and gives nothing', async () => {
    const { clock, link, named, ids } = neighbourhood();
    named([IMPOSTOR, 'global']);
    link(IMPOSTOR);
    named([HONEST, 'global']);
    expect(link(HONEST).said).toEqual(['duplicate']);
    await clock.advanceAsync(61_000);
    expect(link(HONEST).said).toEqual([]);
    expect(ids()).toEqual([IMPOSTOR, HONEST]);
  });

  it('does not come to be of the Aula by it', () => {
    const { link, named, made } = neighbourhood();
    named([IMPOSTOR, 'global']);
    link(IMPOSTOR);
    named([HONEST, 'aula']);
    expect(link(HONEST).said).toEqual(['duplicate']);
    expect(made.peers.map((peer) => [made.tierOf(peer), made.isOfAula(peer)])).toEqual([['global', false]]);
  });

  it('takes the Aula from nobody, and is not let in', () => {
    const { link, named, made, ids } = neighbourhood();
    named([HONEST, 'aula']);
    link(HONEST);
    named([IMPOSTOR, 'global']);
    expect(link(IMPOSTOR).said).toEqual(['duplicate']);
    expect(ids()).toEqual([HONEST]);
    expect(made.peers.map((peer) => [made.tierOf(peer), made.isOfAula(peer)])).toEqual([['aula', true]]);
  });
});

describe('a peer under a newer id of the tracker’s', () => {
  it('keeps its link, and its Aula as the tracker says anew', async () => {
    const { clock, link, named, made, ids } = neighbourhood();
    const newer = IMPOSTOR;
    named([HONEST, 'aula']);
    link(HONEST);
    await clock.advanceAsync(50_000);
    named([newer, 'aula']);
    expect(link(newer).said).toEqual(['duplicate']);
    await clock.advanceAsync(30_000);
    expect(ids()).toEqual([HONEST]);
    expect(made.peers.map((peer) => made.isOfAula(peer))).toEqual([true]);
  });
});

it('asks for no head that nobody waits for while the manifest of another is under way', async () => {
  const { clock, link, named, made } = neighbourhood();
  named([HONEST, 'aula']);
  const { asked, says } = link(HONEST);
  const [played, wanted] = [parseTrackId('played'), parseTrackId('wanted')];
  const root = parseRootHash('ab'.repeat(32));
  says(encodePeerFrame({ type: 'open', handle: 1, trackId: played, root, held: ChunkSet.all(4) }));
  made.askAhead(wanted);
  await clock.advanceAsync(5_000);
  expect(asked).toEqual([]);
  made.dropAhead(wanted);
  await clock.advanceAsync(3_000);
  expect(asked).toHaveLength(1);
});
