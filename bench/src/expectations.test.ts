import { describe, expect, it } from 'vitest';
import { figuresOf, judge, parseExpectations } from './expectations.ts';

const REPORT = { runtime: 'sim', offload: 0.95, startMs: { p50: 265 }, bytes: { origin: 10 } };

describe('expectations', () => {
  it('hold or fall short, each by itself', () => {
    const bars = parseExpectations(
      'offload>=0.9, startMs.p50<=265,startMs.p50<265,bytes.origin=10,offload>1e0',
    );
    expect(judge(REPORT, bars).map(({ text, holds }) => [text, holds])).toEqual([
      ['offload>=0.9', true],
      ['startMs.p50<=265', true],
      ['startMs.p50<265', false],
      ['bytes.origin=10', true],
      ['offload>1e0', false],
    ]);
  });

  it.each([
    '',
    'offload',
    'offload>=',
    '>=1',
    'offload>=x',
    'offload=>1',
    'offload>=1,',
    'offload>=1 2',
    'a b>1',
  ])('are refused where they say nothing: %j', (text) => {
    expect(() => parseExpectations(text)).toThrow(expect.objectContaining({ name: 'ExpectationError' }));
  });

  it('are refused for a figure that no report has, naming those it has', () => {
    expect(() => judge(REPORT, parseExpectations('ofload>=1'))).toThrow(
      /no figure ofload; it has offload, startMs.p50, bytes.origin/,
    );
    expect(() => judge(REPORT, parseExpectations('startMs>=1'))).toThrow(/no figure startMs/);
  });

  it('know figures by their paths', () => {
    expect(figuresOf(REPORT)).toEqual([
      ['offload', 0.95],
      ['startMs.p50', 265],
      ['bytes.origin', 10],
    ]);
  });
});
