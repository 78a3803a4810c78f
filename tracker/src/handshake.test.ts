import { describe, expect, it } from 'vitest';
import { handshakeAnswer } from './handshake.ts';

/** The example of RFC 6455, 1.3. */
const HEADERS = {
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
  'sec-websocket-protocol': 'chat, sonantica.v1',
};

describe('an upgrade request', () => {
  it('in order is answered as RFC 6455 has it', () => {
    expect(handshakeAnswer({ method: 'GET', headers: HEADERS })).toEqual({
      answer:
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sonantica.v1\r\n\r\n',
      speaksOurs: true,
    });
  });

  it.each([
    [undefined, undefined],
    ['chat, super.chat', 'chat'],
  ])('with the subprotocols %s is answered with %s, to be told why not', (offered, answered) => {
    const { 'sec-websocket-protocol': _, ...others } = HEADERS;
    const headers = offered === undefined ? others : { ...others, 'sec-websocket-protocol': offered };
    const handshake = handshakeAnswer({ method: 'GET', headers });
    const named = 'answer' in handshake && /Sec-WebSocket-Protocol: (.*)\r\n/.exec(handshake.answer)?.[1];
    expect(handshake).toMatchObject({ speaksOurs: false });
    expect(named).toBe(answered);
  });

  it.each([
    ['another method', 405, 'POST', {}],
    ['another upgrade', 400, 'GET', { upgrade: 'h2c' }],
    ['no key', 400, 'GET', { 'sec-websocket-key': undefined }],
    ['a short key', 400, 'GET', { 'sec-websocket-key': 'AAAA' }],
    ['a key with more after it', 400, 'GET', { 'sec-websocket-key': `${'A'.repeat(22)}==\n` }],
    ['another version', 426, 'GET', { 'sec-websocket-version': '8' }],
    ['no version', 426, 'GET', { 'sec-websocket-version': undefined }],
    ['a subprotocol that is no token', 400, 'GET', { 'sec-websocket-protocol': 'a b' }],
    ['an empty subprotocol', 400, 'GET', { 'sec-websocket-protocol': 'a,,b' }],
    ['a subprotocol with a line of its own', 400, 'GET', { 'sec-websocket-protocol': 'a\r\nX: y' }],
  ])('with %s is refused with %i', (_, status, method, wrong) => {
    expect(handshakeAnswer({ method, headers: { ...HEADERS, ...wrong } })).toEqual({ status });
  });
});
