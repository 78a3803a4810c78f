import { describe, expect, it } from 'vitest';
import { usableServers } from './ice-servers.ts';

describe('servers for a connection', () => {
  it('are those that it can be made with', () => {
    const signed = { urls: ['turn:a.example', 'turns:a.example'], username: 'u', credential: 'c' };
    expect(
      usableServers([
        { urls: 'stun:a.example' },
        { urls: ['stun:b.example', 'turn:b.example'] },
        { urls: 'turn:c.example', username: 'u' },
        { urls: 'TURNS:d.example', credential: 'c' },
        signed,
      ]),
    ).toEqual([{ urls: ['stun:a.example'] }, { urls: ['stun:b.example'] }, signed]);
  });

  it('may be none', () => {
    expect(usableServers([])).toEqual([]);
  });
});
