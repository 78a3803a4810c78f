import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { clientAddress } from './client-address.ts';

function from(remoteAddress: string | undefined, forwarded?: string): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress });
  const request = new IncomingMessage(socket);
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded;
  return request;
}

describe('the address of a client', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['127.0.0.1', undefined],
    ['127.9.9.9', undefined],
    ['::1', undefined],
    ['::ffff:127.0.0.1', undefined],
    [undefined, undefined],
  ])('%s is counted as %s', (remote, key) => {
    expect(clientAddress(from(remote), 0).key).toBe(key);
  });

  it.each([
    [0, '1.1.1.1', '203.0.113.9'],
    [1, '1.1.1.1', '1.1.1.1'],
    [1, '6.6.6.6, 1.1.1.1', '1.1.1.1'],
    [2, '6.6.6.6, 1.1.1.1, 2.2.2.2', '1.1.1.1'],
    [2, '1.1.1.1', '1.1.1.1'],
    [1, 'nonsense', '203.0.113.9'],
    [1, '1.1.1.1, ', '1.1.1.1'],
    [1, '1.1.1.1, <script>', '203.0.113.9'],
    [1, undefined, '203.0.113.9'],
    [1, '2001:db8::1', '2001:db8:0:0::/64'],
  ])('behind %i proxies, X-Forwarded-For: %s means %s', (hops, forwarded, key) => {
    expect(clientAddress(from('203.0.113.9', forwarded), hops).key).toBe(key);
  });

  it('on loopback counts once proxies are trusted', () => {
    expect(clientAddress(from('127.0.0.1', '1.1.1.1'), 1).key).toBe('1.1.1.1');
    expect(clientAddress(from('127.0.0.1'), 1).key).toBe('127.0.0.1');
  });
});
