import { describe, expect, it } from 'vitest';
import { CHUNK, VirtualRoom } from './support/virtual-room.ts';

describe('maxUploadKbps', () => {
  it('is never exceeded, holds for all peers together, is told to the tracker, and is obeyed at once when changed', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 40 * CHUNK } });
    const giver = room.listener('giver', { contribution: { maxUploadKbps: 800 } });
    await room.during(giver.swarm.open('song').download());
    await room.pass(2_000);
    const takers = ['one', 'two'].map((name) =>
      room.listener(name, { contribution: { maxBandwidthMBPerDay: 0 } }),
    );
    for (const { swarm } of takers) await swarm.prefetch(['song']);
    await room.pass(5_000);
    const before = giver.swarm.stats().uploadedBytes;
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThanOrEqual(5_000 * 100 + 3 * 16_384);
    await room.pass(20_000);
    const given = giver.swarm.stats().uploadedBytes - before;
    expect(given).toBeLessThanOrEqual(20_000 * 100 + 3 * 16_384);
    expect(given).toBeGreaterThan(0.8 * 20_000 * 100);
    expect(room.told).toContainEqual(expect.objectContaining({ type: 'announce', uploadKbps: 800 }));

    // Each block waits for two minutes now, unless it hears of the change.
    await room.during(giver.swarm.setContribution({ maxUploadKbps: 1 }));
    await room.pass(10_000);
    const then = giver.swarm.stats().uploadedBytes;
    await room.during(giver.swarm.setContribution({ maxUploadKbps: null }));
    await room.pass(2_000);
    expect(giver.swarm.stats().uploadedBytes - then).toBeGreaterThan(10 * 2_000 * 100);
    expect(giver.swarm.contribution.maxUploadKbps).toBeNull();
  });

  it('of more than can be said is told as the most', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 4 * CHUNK } });
    const giver = room.listener('giver', { contribution: { maxUploadKbps: 1e12 } });
    await room.during(giver.swarm.open('song').download());
    expect(room.told).toContainEqual(expect.objectContaining({ type: 'announce', uploadKbps: 10_000_000 }));
  });

  it('of 0 gives nothing', async () => {
    const room = await VirtualRoom.open({ tracks: { song: 4 * CHUNK } });
    const giver = room.listener('giver', { contribution: { maxUploadKbps: 0 } });
    await room.during(giver.swarm.open('song').download());
    await room.pass(2_000);
    const taker = room.listener('taker');
    await room.during(taker.swarm.open('song').download());
    expect(giver.swarm.stats().uploadedBytes).toBe(0);
    expect(taker.swarm.stats().bytes.origin).toBe(4 * CHUNK);
  });
});
