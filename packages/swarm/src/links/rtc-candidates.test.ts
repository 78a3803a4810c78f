import { describe, expect, it } from 'vitest';
import { isTakenCandidate, offeredCandidate, readCandidate } from './rtc-candidates.ts';

const HOST =
  'candidate:3229573512 1 udp 2122194687 192.0.2.2 40599 typ host generation 0 ufrag yp25 network-id 1';

function read(text: string) {
  const candidate = readCandidate({ candidate: text, sdpMid: '0', sdpMLineIndex: 0 });
  if (candidate === undefined) throw new Error('expected a candidate');
  return candidate;
}

const withAddress = (address: string, port = 40_599) => HOST.replace('192.0.2.2 40599', `${address} ${port}`);

describe('reading a candidate', () => {
  it('finds its protocol, address, port, type and generation', () => {
    const { init: _, ...facts } = read(HOST);
    expect(facts).toEqual({
      ufrag: 'yp25',
      protocol: 'udp',
      component: 1,
      address: '192.0.2.2',
      port: 40_599,
      type: 'host',
    });
  });

  it('finds the generation beside the text where the text has none', () => {
    const text = HOST.replace(' ufrag yp25', '');
    expect(readCandidate({ candidate: text, usernameFragment: 'abcd' })?.ufrag).toBe('abcd');
    expect(readCandidate({ candidate: text })?.ufrag).toBeUndefined();
  });

  it.each([{ candidate: '' }, null])('takes %j for the end of the list', (value) => {
    expect(readCandidate(value)).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a number', 7],
    ['a list', [HOST]],
    ['an empty object', {}],
    ['text that is no text', { candidate: 5 }],
    ['another attribute', { candidate: 'ice-ufrag:yp25' }],
    ['a line break that would add an attribute', { candidate: `${HOST}\r\na=fingerprint:sha-256 00` }],
    ['a line feed', { candidate: `${HOST}\n` }],
    ['no port', { candidate: 'candidate:1 1 udp 1 192.0.2.2 typ host' }],
    ['an unknown type', { candidate: HOST.replace('typ host', 'typ moon') }],
    ['a type of Object.prototype', { candidate: HOST.replace('typ host', 'typ constructor') }],
    ['too long a text', { candidate: `${HOST} ${'x '.repeat(300)}x` }],
  ])('refuses %s', (_, value) => {
    expect(() => readCandidate(value)).toThrow(expect.objectContaining({ code: 'bad-field' }));
  });

  it('takes 512 characters and refuses 513', () => {
    const padded = (length: number) => `${HOST} ${'x'.repeat(length - HOST.length - 1)}`;
    expect(read(padded(512)).port).toBe(40_599);
    expect(() => read(padded(513))).toThrow(/candidate/);
  });
});

describe('our own candidates', () => {
  const reflexive =
    'candidate:1 1 udp 1686052607 203.0.113.9 5000 typ srflx raddr 10.1.2.3 rport 41000 generation 0';

  it('are all told but TCP where the runtime hides addresses by itself', () => {
    expect(offeredCandidate(read(HOST), undefined)?.candidate).toBe(HOST);
    expect(offeredCandidate(read(reflexive), undefined)?.candidate).toBe(reflexive);
    expect(offeredCandidate(read(HOST.replace(' udp ', ' tcp ')), undefined)).toBeUndefined();
  });

  it('are told only at the addresses that may be shown', () => {
    expect(offeredCandidate(read(HOST), ['192.0.2.2'])?.candidate).toBe(HOST);
    expect(offeredCandidate(read(withAddress('172.17.0.1')), ['192.0.2.2'])).toBeUndefined();
    expect(offeredCandidate(read(withAddress('127.0.0.1')), ['192.0.2.2'])).toBeUndefined();
  });

  it('do not tell the private address behind a public one', () => {
    const told = offeredCandidate(read(reflexive), ['192.0.2.2'])?.candidate;
    expect(told).toContain('203.0.113.9 5000 typ srflx raddr 0.0.0.0 rport 0');
    expect(told).not.toContain('10.1.2.3');
  });
});

describe("a stranger's candidates", () => {
  const inNode = { resolvesMdns: false, hostAddresses: ['192.0.2.2'] };
  const onLoopback = { resolvesMdns: false, hostAddresses: ['127.0.0.1'] };
  const inBrowser = { resolvesMdns: true, hostAddresses: undefined };

  it.each([
    ['192.168.1.7', true],
    ['203.0.113.7', true],
    ['2001:db8::7', true],
    ['127.0.0.1', false],
    ['127.8.8.8', false],
    ['::1', false],
    ['0:0:0:0:0:0:0:1', false],
    ['::ffff:127.0.0.1', false],
    ['::ffff:7f00:1', false],
    ['::ffff:224.0.0.1', false],
    ['0::0', false],
    ['127.1', false],
    ['::ffff:192.0.2.7', true],
    ['0.0.0.0', false],
    ['224.0.0.251', false],
    ['255.255.255.255', false],
    ['::', false],
    ['ff02::fb', false],
    ['router.example.org', false],
    ['0f6e8f2e-9c1b-4c49-b8e5-1f0b3a1b2c3d.local', false],
  ])('at %s are tried in Node: %s', (address, taken) => {
    expect(isTakenCandidate(read(withAddress(address)), inNode)).toBe(taken);
  });

  it('on this machine are tried where we offer nothing else ourselves', () => {
    expect(isTakenCandidate(read(withAddress('127.0.0.1')), onLoopback)).toBe(true);
  });

  it('with a .local name are tried where such names can be resolved', () => {
    expect(isTakenCandidate(read(withAddress('0f6e8f2e-9c1b.local')), inBrowser)).toBe(true);
  });

  it('over TCP or without a port are not tried', () => {
    expect(isTakenCandidate(read(HOST.replace(' udp ', ' tcp ')), inBrowser)).toBe(false);
    expect(isTakenCandidate(read(withAddress('192.0.2.2', 0)), inBrowser)).toBe(false);
    expect(isTakenCandidate(read(withAddress('192.0.2.2', 65_535)), inBrowser)).toBe(true);
    expect(isTakenCandidate(read(withAddress('192.0.2.2', 65_536)), inBrowser)).toBe(false);
  });
});
