import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_CONTRIBUTION } from '../contribution.ts';
import { Emitter } from '../events.ts';
import type { SwarmEvents } from '../options.ts';
import { tellOfTrackers, TrackerNews, type TrackerNewsOptions } from './tracker-news.ts';

const [A, B] = ['ws://a', 'ws://b'];
const REFUSAL = 'closed with 4401: a token is needed';
const options: TrackerNewsOptions = {
  trackers: [A],
  meanwhile: 'still trying',
  tellsReturn: true,
  hasToken: false,
};

describe('what is told of trackers', () => {
  it('is that one is out of reach, once an outage, and that it is up again', () => {
    const news = new TrackerNews(options);
    expect(news.down('connect ECONNREFUSED', A)).toBe(
      'tracker ws://a is out of reach (connect ECONNREFUSED): still trying',
    );
    expect([news.down('connect ECONNREFUSED', A), news.late()]).toEqual([undefined, undefined]);
    expect([news.up(A), news.up(A)]).toEqual(['tracker ws://a is up', undefined]);
  });

  it('is why one refuses, and what helps, also where it was out of reach before', () => {
    const news = new TrackerNews(options);
    news.down('connect ECONNREFUSED', A);
    expect(news.down(REFUSAL, A)).toBe(
      'tracker ws://a refuses (a token is needed; see --token and --token-file): still trying',
    );
    expect([news.down(REFUSAL, A), news.down('connect ECONNREFUSED', A)]).toEqual([undefined, undefined]);
  });

  it.each([
    ['closed with 4401: the token is not valid', 'refuses (the token is not valid)'],
    ['closed with 4409', 'refuses (code 4409)'],
    ['closed with 1006', 'is out of reach (closed with 1006)'],
  ])('puts %s as "%s" to who has a token', (reason, said) => {
    const news = new TrackerNews({ ...options, hasToken: true });
    expect(news.down(reason, A)).toBe(`tracker ws://a ${said}: still trying`);
  });

  it('is nothing while another may answer', () => {
    const news = new TrackerNews({ ...options, trackers: [A, B] });
    expect(news.down('no', A)).toBeUndefined();
    expect(news.up(B)).toBeUndefined();
    expect(new TrackerNews({ ...options, trackers: [A, B] }).late()).toBe(
      'tracker ws://a does not answer, tracker ws://b does not answer: still trying',
    );
  });

  it('is not that one came back, to who does not wait for it', () => {
    const news = new TrackerNews({ ...options, tellsReturn: false });
    news.down('no', A);
    expect(news.up(A)).toBeUndefined();
  });

  it('is that there is no way to any', () => {
    const news = new TrackerNews(options);
    expect(news.down('no WebRTC', undefined)).toBe(
      'tracker ws://a is out of reach (no WebRTC): still trying',
    );
  });
});

describe('who has waited for a tracker for five seconds', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function begin(p2pEnabled = true) {
    const events = new Emitter<SwarmEvents>();
    const lines: string[] = [];
    const swarm = {
      on: events.on.bind(events),
      ready: () => Promise.resolve(),
      contribution: { ...DEFAULT_CONTRIBUTION, p2pEnabled },
      stats: () => ({ trackerUp: false }),
    };
    const stop = tellOfTrackers(swarm, options, (line) => lines.push(line));
    return { events, lines, stop };
  }

  it('is told so, and not sooner', async () => {
    const { lines } = begin();
    await vi.advanceTimersByTimeAsync(4_999);
    expect(lines).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(lines).toEqual(['tracker ws://a does not answer: still trying']);
  });

  it('is not told of a loss that lasted less', async () => {
    const { events, lines } = begin();
    events.emit('tracker', { up: true, url: A });
    events.emit('tracker', { up: false, url: A, reason: 'closed with 1012' });
    await vi.advanceTimersByTimeAsync(4_000);
    events.emit('tracker', { up: true, url: A });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toEqual([]);
    events.emit('tracker', { up: false, url: A, reason: 'closed with 1006' });
    await vi.advanceTimersByTimeAsync(60_000);
    events.emit('tracker', { up: true, url: A });
    expect(lines).toEqual([
      'tracker ws://a is out of reach (closed with 1006): still trying',
      'tracker ws://a is up',
    ]);
  });

  it.each([
    ['takes no part', false, false],
    ['is done', true, true],
  ])('hears nothing where they %s', async (_what, takesPart, isDone) => {
    const { lines, stop } = begin(takesPart);
    if (isDone) stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lines).toEqual([]);
  });
});
