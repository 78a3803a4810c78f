import { describe, expect, it } from 'vitest';
import { VirtualTracker, type VirtualClient } from '../testing/virtual-tracker.ts';
import type { Admission } from './admission.ts';

const START_MS = 1_700_000_001_000;
const LIFE_MS = 600_000;

/** A tracker that lends relays for ten minutes, to bearers of a token that lasts so long or to everyone. */
function place(tokenMs?: number) {
  const net = new VirtualTracker({
    iceServersFor: (subject, wallMs, notAfterMs) => [
      { urls: ['turn:turn.example.org'], username: `${Math.min(wallMs + LIFE_MS, notAfterMs)}:${subject}` },
    ],
    iceLifeMs: LIFE_MS,
    // The clients here need not be heard.
    forgetAfterMs: 1e9,
    ...(tokenMs === undefined ? {} : { admission: admits(() => START_MS + net.nowMs - 1_000 + tokenMs) }),
  });
  const enter = () => {
    const client = net.connect();
    client.say({ type: 'hello', token: 'good' });
    return client;
  };
  /** When the credentials end that a client was told since it was last asked, in milliseconds since the start. */
  const told = ({ inbox }: VirtualClient) =>
    inbox.splice(0).map((message) => {
      if (message.type !== 'welcome') throw new Error(`got ${message.type}`);
      return Number.parseInt(message.iceServers[0]?.username ?? '', 10) - START_MS;
    });
  return { net, enter, told };
}

function admits(expiresMs: () => number): Admission {
  return {
    admit: (_token, settle) => settle({ admitted: true, rights: { subject: 'ada', expiresMs: expiresMs() } }),
  };
}

describe('servers that are of use for a time', () => {
  it('are named afresh at about half of it, again and again, under the same name', () => {
    const { net, enter, told } = place();
    const client = enter();
    const { id } = client;
    expect(told(client)).toEqual([LIFE_MS]);
    net.pass(LIFE_MS * 0.4 - 500);
    expect(told(client)).toEqual([]);
    net.pass(LIFE_MS * 0.1 + 2_500);
    const [until = 0, ...more] = told(client);
    expect(more).toEqual([]);
    expect(until).toBeGreaterThanOrEqual(LIFE_MS * 1.4);
    expect(client.id).toBe(id);
    net.pass(LIFE_MS * 3);
    const later = told(client);
    expect(later.length).toBeGreaterThanOrEqual(5);
    expect(later.length).toBeLessThanOrEqual(8);
  });

  it('are named to those who came together at different times, one at a time', () => {
    const { net, enter, told } = place();
    const clients = Array.from({ length: 200 }, enter);
    for (const client of clients) told(client);
    net.pass(LIFE_MS * 0.4);
    let most = 0;
    let all = 0;
    for (let ms = 0; ms < LIFE_MS * 0.1 + 2_000; ms += 2_000) {
      net.nowMs += 2_000;
      let steps = 0;
      for (const _ of net.tracker.duties()) steps++;
      const now = clients.reduce((sum, client) => sum + told(client).length, 0);
      expect(steps).toBe(now);
      most = Math.max(most, now);
      all += now;
    }
    expect(all).toBe(200);
    expect(most).toBeLessThan(20);
  });

  it('end with the token, and come anew with the next one alone', () => {
    const { net, enter, told } = place(60_000);
    const client = enter();
    expect(told(client)).toEqual([60_000]);
    net.pass(50_000);
    expect(told(client)).toEqual([]);
    client.say({ type: 'hello', token: 'fresh' });
    expect(told(client)).toEqual([110_000]);
  });

  it('of a bearer whose token lasts longer are named afresh until they end with it', () => {
    const { net, enter, told } = place(LIFE_MS * 1.2);
    const client = enter();
    expect(told(client)).toEqual([LIFE_MS]);
    net.pass(LIFE_MS * 0.6);
    expect(told(client)).toEqual([LIFE_MS * 1.2]);
    net.pass(LIFE_MS * 0.5);
    expect(told(client)).toEqual([]);
  });

  it('are not looked for where there are none', () => {
    const net = new VirtualTracker({ iceServers: [{ urls: ['stun:a'] }], forgetAfterMs: 1e9 });
    const client = net.client();
    net.pass(200_000);
    expect(client.inbox).toEqual([]);
  });
});
