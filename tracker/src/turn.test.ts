import { describe, expect, it } from 'vitest';
import { turnServer } from './turn.ts';

const options = { urls: ['turn:turn.example.org:3478'], secret: 'north', ttlSeconds: 3_600 };

describe('a TURN credential', () => {
  it('is signed with the shared secret, for a time', () => {
    // printf %s 1700003600 | openssl dgst -sha1 -hmac north -binary | base64
    expect(turnServer(options, undefined, 1_700_000_000_999)).toEqual({
      urls: options.urls,
      username: '1700003600',
      credential: 'xF4I6gruVt/PjGbjajGu2UlidPk=',
    });
  });

  it.each([
    [1_700_003_601_000, '1700003600:ada'],
    [1_700_003_600_000, '1700003600:ada'],
    [1_700_003_599_999, '1700003599:ada'],
    [1_700_000_060_000, '1700000060:ada'],
  ])('lasts no longer than the token, until %i', (notAfterMs, username) => {
    expect(turnServer(options, 'ada', 1_700_000_000_000, notAfterMs).username).toBe(username);
  });

  it('names its bearer', () => {
    // printf %s 1700003600:ada | openssl dgst -sha1 -hmac north -binary | base64
    expect(turnServer(options, 'ada', 1_700_000_000_000)).toMatchObject({
      username: '1700003600:ada',
      credential: 'xnSlQG4JwD6eDlwPBFdbTt6sTJk=',
    });
  });

  it.each([
    ['ada lovelace:1', '1700003600:ada%20lovelace%3A1'],
    ['ñ'.repeat(1_000), /^1700003600:.{128}$/],
    ['\ud800', /^1700003600:./],
  ])('spells a bearer %j so that every server takes it', (subject, username) => {
    expect(turnServer(options, subject, 1_700_000_000_000).username).toMatch(username);
  });
});
