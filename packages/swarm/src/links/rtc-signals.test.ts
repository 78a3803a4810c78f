import { LIMITS, ProtocolError } from '@sonantica/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  packSignals,
  readSignal,
  withCandidates,
  withoutCandidates,
  type SignalItem,
} from './rtc-signals.ts';

const CANDIDATE = 'candidate:1 1 udp 2122194687 192.0.2.2 40599 typ host generation 0 ufrag yp25';
const SDP = [
  'v=0',
  'o=- 2050386693385703347 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'c=IN IP4 0.0.0.0',
  'a=ice-ufrag:yp25',
  'a=ice-pwd:pzhjbwNiVcuFeur9GdJY3rvW',
  'a=fingerprint:sha-256 BA:C8:BD',
  'a=setup:actpass',
  'a=mid:0',
  'a=sctp-port:5000',
  'a=max-message-size:262144',
  '',
].join('\r\n');

const offer = (sdp: string) => ({ description: { type: 'offer', sdp } });

describe('reading a signal', () => {
  it('takes a description and its candidates together or one by one', () => {
    const candidate = { candidate: { candidate: CANDIDATE, sdpMid: '0', sdpMLineIndex: 0 } };
    const together = readSignal([offer(SDP), candidate, candidate]);
    expect(together.description).toMatchObject({ type: 'offer', ufrag: 'yp25' });
    expect(together.candidates).toHaveLength(2);
    expect(readSignal(candidate).candidates).toHaveLength(1);
    expect(readSignal(offer(SDP)).description?.sdp).toBe(SDP);
  });

  it('judges candidates inside a description as it does those beside it', () => {
    const read = readSignal(offer(`${SDP}a=${CANDIDATE}\r\na=end-of-candidates\r\n`));
    expect(read.candidates).toHaveLength(1);
    expect(read.description?.sdp).toBe(SDP);
  });

  it.each([
    ['a lone carriage return', `a=${CANDIDATE} x\ry\r\n`],
    ['a line separator', `a=${CANDIDATE} x\u2028y\r\n`],
    ['a paragraph separator', `a=${CANDIDATE} x\u2029y\r\n`],
    ['a carriage return before its end', `a=${CANDIDATE}\r \r\n`],
    ['a null', `a=${CANDIDATE}\0\r\n`],
    ['what is no line', ` a=${CANDIDATE}\r\n`],
  ])('refuses a description in which %s could hide a candidate', (_what, line) => {
    expect(() => readSignal(offer(SDP + line))).toThrow(ProtocolError);
    expect(() => readSignal(offer(SDP.replace('a=mid:0\r\n', `${line}a=mid:0\r\n`)))).toThrow(ProtocolError);
  });

  it('takes lines that end as they like', () => {
    const read = readSignal(offer(`${SDP}a=${CANDIDATE}`.replaceAll('\r\n', '\n')));
    expect(read.candidates).toHaveLength(1);
    expect(read.description?.sdp).not.toContain('candidate');
  });

  it('names a connection the same over its restarts, and others differently', () => {
    const restart = SDP.replace('yp25', 'zz99').replace(' 2 IN', ' 3 IN');
    const other = SDP.replace('2050386693385703347', '77');
    const name = (sdp: string) => readSignal(offer(sdp)).description?.connection;
    expect(name(restart)).toBe(name(SDP));
    expect(name(other)).not.toBe(name(SDP));
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a list of null', [null]],
    ['text', 'v=0'],
    ['an empty object', {}],
    ['a nested list', [[offer(SDP)]]],
    ['a description that is text', { description: SDP }],
    ['a rollback', { description: { type: 'rollback', sdp: '' } }],
    ['a description without text', { description: { type: 'offer' } }],
    ['empty text', offer('')],
    ['text that is no description', offer('hello')],
    ['sound', offer(SDP.replace('m=application', 'm=audio'))],
    ['a second section', offer(`${SDP}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n`)],
    ['no fingerprint', offer(SDP.replace('a=fingerprint', 'a=x'))],
    ['no ufrag', offer(SDP.replace('a=ice-ufrag', 'a=x'))],
    ['no origin', offer(SDP.replace('o=', 'x='))],
    ['two descriptions', [offer(SDP), offer(SDP)]],
    ['a bad candidate beside a good description', [offer(SDP), { candidate: { candidate: 'x' } }]],
    ['a bad candidate inside a description', offer(`${SDP}a=candidate:x\r\n`)],
  ])('refuses %s', (_, data) => {
    expect(() => readSignal(data)).toThrow(expect.objectContaining({ code: 'bad-field' }));
  });

  it('takes 40 items and refuses 41', () => {
    const items = (count: number) =>
      Array.from({ length: count }, () => ({ candidate: { candidate: CANDIDATE } }));
    expect(readSignal(items(40)).candidates).toHaveLength(40);
    expect(() => readSignal(items(41))).toThrow(expect.objectContaining({ code: 'too-large' }));
  });

  it('throws nothing but ProtocolError, whatever it is given', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(SDP, CANDIDATE, `${CANDIDATE}\r\n`, SDP.slice(0, 200), '__proto__'),
      fc.tuple(fc.nat(SDP.length), fc.string()).map(([at, more]) => SDP.slice(0, at) + more + SDP.slice(at)),
    );
    const item = fc.record(
      {
        description: fc.oneof(
          fc.record({ type: fc.constantFrom('offer', 'answer', 'x'), sdp: text }),
          fc.anything(),
        ),
        candidate: fc.oneof(fc.record({ candidate: text, sdpMid: fc.anything() }), fc.anything()),
        re: fc.anything(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.anything(), item, fc.array(item)), (data) => {
        try {
          readSignal(data);
        } catch (error) {
          expect(error).toMatchObject({ name: 'ProtocolError' });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('writing signals', () => {
  it('puts a description and sixteen candidates into one', () => {
    const items: SignalItem[] = [
      { description: { type: 'offer', sdp: SDP } },
      ...Array.from({ length: 16 }, () => ({
        candidate: { candidate: CANDIDATE, sdpMid: '0', sdpMLineIndex: 0 },
      })),
    ];
    expect(packSignals(items)).toEqual([items]);
  });

  it('splits what the tracker would refuse, in order', () => {
    const items: SignalItem[] = Array.from({ length: 90 }, (_, i) => ({
      candidate: { candidate: `${i} ${'x'.repeat(500)}`, sdpMid: '0', sdpMLineIndex: 0 },
    }));
    const signals = packSignals(items);
    expect(signals.length).toBeGreaterThan(1);
    expect(signals.flat()).toEqual(items);
    for (const signal of signals) expect(JSON.stringify(signal).length).toBeLessThan(LIMITS.maxSignalBytes);
  });

  it('makes no signal of nothing', () => {
    expect(packSignals([])).toEqual([]);
  });

  it('takes candidates out of a description and puts them in again', () => {
    const full = withCandidates(SDP, [{ candidate: CANDIDATE, sdpMid: '0', sdpMLineIndex: 0 }]);
    expect(full).toBe(`${SDP}a=${CANDIDATE}\r\n`);
    expect(withoutCandidates(full)).toBe(SDP);
  });
});
