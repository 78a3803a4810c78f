import { parseTrackId } from '@sonantica/wire';
import { describe, expect, it } from 'vitest';
import { VirtualTracker, type VirtualClient } from '../testing/virtual-tracker.ts';
import { MODEST_BYTES } from './shedding.ts';

/** Chunks of a track whose bitmap takes a kilobyte. */
const LONG = 8_192;
const SHORT = 80;

function announce(client: VirtualClient, name: string, chunkCount: number): void {
  client.announce([1], { trackId: parseTrackId(name), chunkCount, want: 0 });
}

/** A track that enough hold to be worth keeping. */
function popular(net: VirtualTracker, name: string, chunkCount: number): void {
  for (let i = 0; i < 9; i++) announce(net.client(), name, chunkCount);
}

describe('while memory is short', () => {
  it('who keeps heaps of bitmaps gives up the largest until it is modest, and nobody else any', () => {
    const net = new VirtualTracker();
    const [busy, honest] = [net.client(), net.client()];
    for (let i = 0; i < 100; i++) {
      popular(net, `long${i}`, LONG);
      announce(busy, `long${i}`, LONG);
    }
    for (let i = 0; i < 20; i++) {
      popular(net, `short${i}`, SHORT);
      announce(busy, `short${i}`, SHORT);
      announce(honest, `long${i}`, LONG);
    }
    const before = net.tracker.stats().members;
    net.tracker.isShortOfMemory = true;
    net.pass(500);
    // Of 100 KiB and a little, 64 are left.
    expect(busy.inbox.length).toBe(37);
    expect(busy.inbox.every((said) => said.type === 'error' && said.trackId?.startsWith('long'))).toBe(true);
    expect(honest.inbox).toEqual([]);
    expect(net.tracker.stats().members).toBe(before - 37);
    net.pass(2_000);
    expect(busy.inbox.length).toBe(37);
  });

  it('modest ones keep their bitmaps, to the last byte', () => {
    const net = new VirtualTracker();
    const client = net.client();
    for (let i = 0; i < MODEST_BYTES / (LONG / 8); i++) {
      popular(net, `long${i}`, LONG);
      announce(client, `long${i}`, LONG);
    }
    net.tracker.isShortOfMemory = true;
    net.pass(500);
    expect(client.inbox).toEqual([]);
  });

  it('who keeps the most gives up first', () => {
    const net = new VirtualTracker();
    const [most, many] = [net.client(), net.client()];
    for (let i = 0; i < 300; i++) {
      popular(net, `long${i}`, LONG);
      announce(most, `long${i}`, LONG);
      if (i < 100) announce(many, `long${i}`, LONG);
    }
    net.tracker.isShortOfMemory = true;
    const shedding = net.tracker.shedding();
    while (many.inbox.length === 0 && shedding.next().done !== true);
    expect(most.inbox.length).toBeGreaterThan(200);
  });
});
