import { describe, expect, it } from 'vitest';
import { mayBecomeUpgrade, readPlainUpgrade } from './plain-upgrade.ts';

const FIELDS = [
  'Host: tracker.example.org',
  'Connection: keep-alive, Upgrade',
  'Upgrade: WebSocket',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
];
const request = (more: readonly string[] = [], line = 'GET / HTTP/1.1', fields = FIELDS) =>
  Buffer.from(`${[line, ...fields, ...more].join('\r\n')}\r\n\r\n`, 'latin1');

describe('what may become a plain request', () => {
  it('is its beginning, however short, until its end has come', () => {
    const bytes = request();
    for (let length = 1; length < bytes.length; length++)
      expect(mayBecomeUpgrade(bytes.subarray(0, length))).toBe(true);
    expect(mayBecomeUpgrade(bytes)).toBe(false);
  });

  it.each(['P', 'POST / HTTP/1.1', 'GET http://x/', '\x16\x03\x01', 'get /'])('is not %j', (text) => {
    expect(mayBecomeUpgrade(Buffer.from(text, 'latin1'))).toBe(false);
  });

  it('is not what never ends', () => {
    expect(mayBecomeUpgrade(Buffer.from(`GET /${'x'.repeat(16_384)}`))).toBe(false);
  });
});

describe('a plain request for a WebSocket', () => {
  it('is read up to its end', () => {
    const bytes = request(['User-Agent: a:b c', 'ORIGIN:\t https://music.example.org \t', 'Cookie: x=y']);
    expect(readPlainUpgrade(Buffer.concat([bytes, Buffer.from('more\r\n\r\n')]))).toEqual({
      method: 'GET',
      headers: {
        host: 'tracker.example.org',
        connection: 'keep-alive, Upgrade',
        upgrade: 'WebSocket',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-version': '13',
        origin: 'https://music.example.org',
      },
      length: bytes.length,
    });
  });

  it.each([
    ['that is not whole', request().subarray(0, -1)],
    ['that asks for a page', request([], 'GET / HTTP/1.1', ['Host: x'])],
    ['with another method', request([], 'POST / HTTP/1.1')],
    ['of another version of HTTP', request([], 'GET / HTTP/1.0')],
    ['for an absolute address', request([], 'GET http://x/ HTTP/1.1')],
    ['with a space in its address', request([], 'GET /a b HTTP/1.1')],
    ['without a host', request([], undefined, FIELDS.slice(1))],
    ['whose connection is not upgraded', request([], undefined, ['Host: x', 'Upgrade: websocket'])],
    ['to another protocol', request([], undefined, ['Host: x', 'Connection: upgrade', 'Upgrade: h2c'])],
    ['with a body', request(['Content-Length: 4'])],
    ['with a body in chunks', request(['Transfer-Encoding: chunked'])],
    ['that waits for an answer', request(['Expect: 100-continue'])],
    ['that says a field twice', request(['origin: https://a.example', 'Origin: https://b.example'])],
    ['with a space after a name', request(['Origin : https://a.example'])],
    ['with a folded field', request(['Origin: https://a.example', ' b'])],
    ['with a lone line feed', request(['Origin: a\nX-Forwarded-For: 1.1.1.1'])],
    ['with a lone carriage return', request(['Origin: a\rX-Forwarded-For: 1.1.1.1'])],
    ['with a tab within', request(['Origin: a\tb'])],
    ['with a zero', request(['Origin: a\0b'])],
    ['with more than ASCII', request(['Origin: \xe9'])],
    ['without a name', request([': x'])],
    ['with a line that is no field', request(['nonsense'])],
    ['of more than 4,096 bytes', request([`Cookie: ${'x'.repeat(4_096)}`])],
    ['that is the beginning of TLS', Buffer.from([22, 3, 1, 2, 0, 1])],
    ['of nothing', Buffer.alloc(0)],
  ])('%s is left to the HTTP server', (_, bytes) => {
    expect(readPlainUpgrade(bytes)).toBeUndefined();
  });

  it.each([' ', '\t', ' \t', 'a ', ': '])('is judged at once, however much %j it has', (piece) => {
    for (const end of ['', '\x01', '\x80', '\t']) {
      const long = `a:${piece.repeat(3_800 / piece.length)}${end}`;
      const startMs = performance.now();
      for (let i = 0; i < 20; i++) readPlainUpgrade(request([long]));
      expect(performance.now() - startMs).toBeLessThan(200);
    }
  });

  it.each(['__proto__: x', 'constructor: x'])('is not moved by %s', (field) => {
    expect(Object.keys(readPlainUpgrade(request([field]))?.headers ?? {})).toHaveLength(5);
  });
});
