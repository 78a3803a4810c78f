import { describe, expect, it } from 'vitest';
import { AddressLimits } from './address-limits.ts';

const NONE = {
  maxConnections: 0,
  maxConnectionsPerAddress: 0,
  connectionsPerMinutePerAddress: 0,
  requestsPerMinutePerAddress: 0,
};

describe('the limits of addresses', () => {
  it('bound the sockets of one address, and let it in again when one closed', async () => {
    const limits = new AddressLimits({ ...NONE, maxConnectionsPerAddress: 2 });
    expect(limits.connected('a')).toBe(true);
    expect(limits.connected('a')).toBe(true);
    expect(limits.connected('a')).toBe(false);
    expect((await limits.mayConnect('a')).allowed).toBe(false);
    expect((await limits.mayConnect('b')).allowed).toBe(true);
    limits.disconnected('a');
    expect((await limits.mayConnect('a')).allowed).toBe(true);
    expect(limits.connectionCount).toBe(1);
  });

  it('leave alone addresses that do not count, but for all together', async () => {
    const limits = new AddressLimits({ ...NONE, maxConnections: 3, maxConnectionsPerAddress: 1 });
    for (let i = 0; i < 3; i++) expect(limits.connected(undefined)).toBe(true);
    expect(limits.connected(undefined)).toBe(false);
    expect(await limits.mayConnect(undefined)).toEqual({ allowed: false, retryAfterSeconds: 30 });
  });

  it('bound how often one address connects, and say when it may again', async () => {
    const limits = new AddressLimits({ ...NONE, connectionsPerMinutePerAddress: 2 });
    await limits.mayConnect('a');
    expect(await limits.mayConnect('a')).toEqual({ allowed: true });
    expect(await limits.mayConnect('a')).toEqual({ allowed: false, retryAfterSeconds: 60 });
    expect(await limits.mayConnect('b')).toEqual({ allowed: true });
    expect(await limits.mayRequest('a')).toEqual({ allowed: true });
  });

  it('bound how often one address asks for pages', async () => {
    const limits = new AddressLimits({ ...NONE, requestsPerMinutePerAddress: 1 });
    expect((await limits.mayRequest('a')).allowed).toBe(true);
    expect((await limits.mayRequest('a')).allowed).toBe(false);
    expect((await limits.mayRequest(undefined)).allowed).toBe(true);
  });

  it('are none at 0', async () => {
    const limits = new AddressLimits(NONE);
    for (let i = 0; i < 2_000; i++) limits.connected('a');
    expect((await limits.mayConnect('a')).allowed).toBe(true);
    expect((await limits.mayRequest('a')).allowed).toBe(true);
  });
});
