import { describe, expect, it } from 'vitest';
import { describeComparison, reportOn, type Attempt } from './compare-report.ts';
import type { Way } from './compare-messages.ts';

const FACTS = { megabytes: 30, sha256: 'right', command: 'again' };
const GOOD = { firstByteMs: 100, doneMs: 1_100, mbPerS: 30, cpuSPerMB: 0.05, sha256: 'right' };

const report = (attempts: Partial<Record<Way, readonly Attempt[]>>) =>
  reportOn('node', FACTS, new Map(Object.entries(attempts) as [Way, readonly Attempt[]][]));
const barOf = (name: string, attempts: Partial<Record<Way, readonly Attempt[]>>) =>
  report(attempts).bars.find(({ row }) => row.includes(name));

describe('a comparison', () => {
  it('holds the median of the ratios of each round against the bar', () => {
    const sonantica = [30, 60, 20].map((mbPerS) => ({ ...GOOD, mbPerS }));
    const webtorrent = [25, 30, 40].map((mbPerS) => ({ ...GOOD, mbPerS }));
    const rate = { passed: true, bar: 'ratio at least 1.2' };
    expect(barOf('rate after the first byte', { sonantica, webtorrent })).toMatchObject(rate);
    const slower = [25.1, 30, 40].map((mbPerS) => ({ ...GOOD, mbPerS }));
    expect(barOf('rate after the first byte', { sonantica, webtorrent: slower })?.passed).toBe(false);
  });

  it('passes at a bar and fails beyond it', () => {
    const webtorrent = [GOOD];
    expect(barOf('processor time', { sonantica: [GOOD], webtorrent })?.passed).toBe(true);
    const dearer = [{ ...GOOD, cpuSPerMB: 0.0501 }];
    expect(barOf('processor time', { sonantica: dearer, webtorrent })?.passed).toBe(false);
  });

  it('does not count bytes whose SHA-256 is wrong, and falls short if they are of ours', () => {
    const sonantica = [GOOD, { ...GOOD, mbPerS: 900, sha256: 'wrong' }];
    const { ways, bars } = report({ sonantica, webtorrent: [GOOD, GOOD] });
    expect(ways.sonantica).toMatchObject({ runs: 2, completed: 1, mbPerS: { max: 30 } });
    expect(ways.sonantica?.failures).toEqual(['the bytes’ SHA-256 is wrong']);
    expect(bars.find(({ row }) => row.includes('every run of ours'))).toMatchObject({
      figure: 1,
      passed: false,
    });
  });

  it('compares rounds in which both sides ended, and fails a bar of which none did', () => {
    const failed = { failed: 'no answer' };
    const half = { sonantica: [GOOD, GOOD], webtorrent: [failed, GOOD] };
    expect(barOf('processor time', half)?.passed).toBe(true);
    const none = { sonantica: [GOOD], webtorrent: [failed] };
    expect(barOf('processor time', none)).toMatchObject({ passed: false, figure: 'no round ended' });
  });

  it('is told to people with what went wrong', () => {
    const text = describeComparison(report({ sonantica: [GOOD, { failed: 'no answer' }] }));
    expect(text).toContain('30 MB in Node');
    expect(text).toMatch(/sonantica, a peer alone +100 \(100–100\) +30\.0 .* 1 of 2/);
    expect(text).toContain('sonantica: no answer');
  });
});
