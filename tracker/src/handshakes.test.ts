import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Handshakes } from './handshakes.ts';

describe('half-open connections', () => {
  it('beyond the bound give way, oldest first', () => {
    const handshakes = new Handshakes(2);
    const [a, b, c] = [new Socket(), new Socket(), new Socket()];
    for (const socket of [a, b, c]) handshakes.began(socket);
    expect([a, b, c].map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
    expect(handshakes.size).toBe(2);
  });

  it('that closed or became WebSockets make room', () => {
    const handshakes = new Handshakes(2);
    const [a, b, c, d] = [new Socket(), new Socket(), new Socket(), new Socket()];
    handshakes.began(a);
    handshakes.began(b);
    handshakes.ended(a);
    handshakes.began(c);
    handshakes.ended(b);
    handshakes.began(d);
    expect([b, c, d].map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
  });

  it('have no bound at 0', () => {
    const handshakes = new Handshakes(0);
    const sockets = Array.from({ length: 3_000 }, () => new Socket());
    for (const socket of sockets) handshakes.began(socket);
    expect(sockets.some(({ destroyed }) => destroyed)).toBe(false);
  });
});
