import { parseAulaId, parseTrackId } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { ROOT, SONG, VirtualTracker } from '../testing/virtual-tracker.ts';
import type { Admission, Rights, Verdict } from './admission.ts';

const START_MS = 1_700_000_001_000;

/** Tokens by name; those not known are refused. Verdicts wait until they are let out. */
class Desk implements Admission {
  readonly tokens = new Map<string, Rights>();
  readonly #waiting: (() => void)[] = [];

  admit(token: string | undefined, settle: (verdict: Verdict) => void): void {
    const rights = this.tokens.get(token ?? '');
    this.#waiting.push(() => {
      settle(rights === undefined ? { admitted: false, reason: 'bad token' } : { admitted: true, rights });
    });
  }

  decide(): void {
    for (const settle of this.#waiting.splice(0)) settle();
  }
}

function place(rights: Partial<Rights> = {}) {
  const desk = new Desk();
  desk.tokens.set('good', { subject: 'ada', expiresMs: START_MS + 60_000, ...rights });
  const net = new VirtualTracker({ admission: desk });
  const enter = () => {
    const client = net.connect();
    client.say({ type: 'hello', token: 'good' });
    desk.decide();
    const welcome = client.take('welcome');
    return { client, welcome };
  };
  return { desk, net, enter };
}

describe('a tracker that asks for tokens', () => {
  it('welcomes who brings one, and says until when it lasts', () => {
    const { enter } = place();
    expect(enter().welcome).toMatchObject({ tokenExpiresMs: START_MS + 60_000 });
  });

  it.each([undefined, 'bad'])('closes with 4401 on the token %s', (token) => {
    const { net, desk } = place();
    const client = net.connect();
    client.say({ type: 'hello', ...(token === undefined ? {} : { token }) });
    desk.decide();
    expect(client.closedWith).toBe(4401);
    expect(net.tracker.stats()).toMatchObject({ peers: 0, pending: 0, refusedBy: { 'not-authorised': 1 } });
  });

  it('follows what came while it looked, in order', () => {
    const { net, desk } = place();
    const client = net.connect();
    client.say({ type: 'hello', token: 'good' });
    client.say({ type: 'join', aulaId: parseAulaId('aula') });
    client.say({ type: 'part' });
    expect(net.tracker.stats()).toMatchObject({ peers: 0, joins: 0 });
    desk.decide();
    client.take('welcome');
    client.take('peers');
    expect(net.tracker.stats()).toMatchObject({ peers: 1, joins: 1, aulas: 0 });
  });

  it('keeps no more than 32 messages meanwhile', () => {
    const { net } = place();
    const client = net.connect();
    client.say({ type: 'hello', token: 'good' });
    for (let i = 0; i < 32; i++) client.say({ type: 'part' });
    expect(client.closedWith).toBeUndefined();
    client.say({ type: 'part' });
    expect(client.closedWith).toBe(4429);
  });

  it('closes a socket whose token is not decided in time', () => {
    const { net } = place();
    const client = net.connect();
    client.say({ type: 'hello', token: 'good' });
    net.pass(6_000);
    expect(client.closedWith).toBe(4408);
  });

  it('does not welcome who went while it looked', () => {
    const { net, desk } = place();
    const client = net.connect();
    client.say({ type: 'hello', token: 'good' });
    client.session.closed();
    desk.decide();
    expect(net.tracker.stats()).toMatchObject({ peers: 0, pending: 0 });
  });

  it('lets a token into its Aulas and tracks alone', () => {
    const { enter } = place({
      aulas: new Set([parseAulaId('mine')]),
      tracks: new Set([parseTrackId('other')]),
    });
    const { client } = enter();
    client.say({ type: 'join', aulaId: parseAulaId('yours') });
    expect(client.take('error')).toMatchObject({ code: 'forbidden', re: 'join' });
    client.join('mine');
    client.say({ type: 'leave', trackId: SONG, root: ROOT });
    expect(client.take('error')).toMatchObject({ code: 'not-announced' });
    expect(() => client.announce('all')).toThrow(/"forbidden"/);
    expect(client.announce('all', { trackId: parseTrackId('other') }).complete).toBe(1);
  });

  it('ends all rights when the token expires, even before the next tick', () => {
    const { net, enter } = place();
    const { client } = enter();
    net.nowMs += 59_999;
    client.join('aula');
    net.nowMs += 1;
    client.say({ type: 'join', aulaId: parseAulaId('aula') });
    expect(client.closedWith).toBe(4401);
    expect(client.inbox).toEqual([]);
    expect(net.tracker.stats()).toMatchObject({ peers: 0, aulas: 0, refusedBy: { 'token-expired': 1 } });
  });

  it('closes who is silent within half a second of the expiry', () => {
    const { net, enter } = place();
    const { client } = enter();
    net.pass(60_500);
    expect(client.closedWith).toBe(4401);
  });
});

describe('a later hello', () => {
  it('renews the rights under the same name', () => {
    const { desk, net, enter } = place();
    const { client, welcome } = enter();
    client.announce('all');
    desk.tokens.set('fresh', { subject: 'ada', expiresMs: START_MS + 600_000 });
    client.say({ type: 'hello', token: 'fresh' });
    desk.decide();
    expect(client.take('welcome')).toMatchObject({
      peerId: welcome.peerId,
      tokenExpiresMs: START_MS + 600_000,
    });
    net.pass(61_000);
    expect(client.closedWith).toBeUndefined();
    expect(net.tracker.stats().peers).toBe(1);
  });

  it('takes its bearer out of what the new token does not name', () => {
    const { desk, net, enter } = place();
    const { client } = enter();
    client.join('aula');
    client.announce('all');
    const expiresMs = START_MS + 600_000;
    desk.tokens.set('less', { subject: 'ada', expiresMs, aulas: new Set(), tracks: new Set() });
    client.say({ type: 'hello', token: 'less' });
    desk.decide();
    client.take('welcome');
    expect(net.tracker.stats()).toMatchObject({ aulas: 0, swarms: 0, members: 0 });
  });

  it.each([
    ['bad', 'bad token'],
    ['theirs', 'the token is of somebody else'],
  ])('with the token %s changes nothing', (token, message) => {
    const { desk, net, enter } = place();
    const { client } = enter();
    desk.tokens.set('theirs', { subject: 'eve', expiresMs: START_MS + 600_000 });
    client.say({ type: 'hello', token });
    desk.decide();
    expect(client.take('error')).toMatchObject({ code: 'forbidden', re: 'hello', message });
    net.pass(60_500);
    expect(client.closedWith).toBe(4401);
  });

  it('on an open tracker is an error, token or not', () => {
    const client = new VirtualTracker().client();
    client.say({ type: 'hello', token: 'good' });
    expect(client.take('error')).toMatchObject({ code: 'already-welcome' });
  });
});

describe('a tracker with tracks of its own', () => {
  it('refuses others', () => {
    const net = new VirtualTracker({ allowsTrack: (trackId) => trackId === 'song' });
    const client = net.client();
    expect(client.announce('all').complete).toBe(1);
    expect(() => client.announce('all', { trackId: parseTrackId('other') })).toThrow(/"forbidden"/);
    expect(net.tracker.stats()).toMatchObject({ swarms: 1, refusedBy: { forbidden: 1 } });
  });
});
