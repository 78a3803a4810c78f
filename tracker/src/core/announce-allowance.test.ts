import { ChunkSet, parseTrackId } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { OTHER_ROOT, ROOT, SONG, VirtualTracker, type VirtualClient } from '../testing/virtual-tracker.ts';
import { Member, Peer, Swarm, Version } from './roster.ts';

/** Whether an announcement was taken. */
function announces(client: VirtualClient, root = ROOT): boolean {
  client.say({ type: 'announce', trackId: SONG, root, chunkCount: 20, have: ChunkSet.none(20) });
  return client.inbox.pop()?.type === 'peers';
}

describe('the allowance to announce a track', () => {
  it('is not given anew to who leaves and comes back', () => {
    const net = new VirtualTracker();
    const client = net.client();
    let taken = 0;
    for (let i = 0; i < 90; i++) {
      if (announces(client)) taken++;
      client.leave();
      client.inbox.length = 0;
    }
    expect(taken).toBe(20);
  });

  it('refills evenly while its bearer is away', () => {
    const net = new VirtualTracker();
    const client = net.client();
    for (let i = 0; i < 20; i++) announces(client);
    client.leave();
    net.nowMs += 2_999;
    expect(announces(client)).toBe(false);
    net.nowMs += 1;
    expect(announces(client)).toBe(true);
    client.leave();
    net.nowMs += 60_000;
    expect(Array.from({ length: 21 }, () => announces(client)).filter(Boolean)).toHaveLength(20);
  });

  it('is of one version and one peer', () => {
    const net = new VirtualTracker();
    const [client, other] = [net.client(), net.client()];
    while (announces(client));
    client.leave();
    expect([announces(client), announces(client, OTHER_ROOT), announces(other)]).toEqual([false, true, true]);
  });

  it('of what was left is forgotten once it is full again, however often one of them is used', () => {
    const peer = new Peer('p'.repeat(22) as never, 1, { send: () => {}, close: () => {} }, 0);
    const left = (track: number, nowMs: number) => {
      const member = new Member(peer, new Swarm(new Version(parseTrackId(`${track}`), ROOT), 20), 'global');
      member.announcesUntilMs = nowMs + 3_000;
      peer.keepAllowance(member, nowMs);
    };
    for (let i = 1; i <= 1_000; i++) {
      left(0, i * 1_000);
      left(i, i * 1_000);
    }
    expect(peer.leftUntilMs(parseTrackId('1000'), ROOT)).toBe(1_003_000);
    expect(peer.keptAllowances).toBeLessThan(10);
  });
});
