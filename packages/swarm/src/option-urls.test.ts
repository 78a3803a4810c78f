import { describe, expect, it, vi } from 'vitest';
import { checkUrls } from './option-urls.ts';

const refused = (message: RegExp) =>
  expect.objectContaining({ code: 'invalid-argument', message: expect.stringMatching(message) });

describe('addresses among the options', () => {
  it.each(['foo', '', 'http://a.example', 'wss://', 'ws:///x', 'wss://a b', 'ws://a.example:x'])(
    'are no tracker’s: %j',
    (tracker) => {
      expect(() => checkUrls({ tracker })).toThrow(refused(/^".*" is no URL of a tracker$/));
      expect(() => checkUrls({ tracker: ['wss://a.example', tracker] })).toThrow(refused(/tracker/));
    },
  );

  it.each(['x', '', '/tracks', 'http://'])('are no origin’s where there is no page: %j', (origin) => {
    expect(() => checkUrls({ origin })).toThrow(refused(/^".*" is no URL of an origin$/));
    expect(() => checkUrls({ origin, fetch: () => Promise.reject(new Error('not asked')) })).not.toThrow();
  });

  it('may be relative to a page', () => {
    vi.stubGlobal('document', { baseURI: 'https://player.example/index.html' });
    expect(() => checkUrls({ origin: '/tracks' })).not.toThrow();
    vi.unstubAllGlobals();
  });

  it('are taken as they were meant', () => {
    checkUrls({});
    checkUrls({
      tracker: ['ws://127.0.0.1:7000', 'WSS://[::1]:7000/t'],
      origin: ['http://a.example/x/', 'https://b.example'],
    });
    checkUrls({ origin: () => 'x' });
  });
});
