import { expect, it } from 'vitest';
import { answerMedia, servedType } from './media-answer.ts';
import { readRangeHeader } from './range-header.ts';

const SIZE = 1000;

it.each([
  ['bytes=0-', { start: 0, end: 1000 }],
  ['bytes=0-0', { start: 0, end: 1 }],
  ['bytes=998-999', { start: 998, end: 1000 }],
  ['bytes=999-', { start: 999, end: 1000 }],
  ['bytes=500-99999999999999999999', { start: 500, end: 1000 }],
  ['Bytes=1-2', { start: 1, end: 3 }],
  ['bytes=-1', { start: 999, end: 1000 }],
  ['bytes=-5000', { start: 0, end: 1000 }],
])('takes %s', (header, range) => {
  expect(readRangeHeader(header, SIZE)).toEqual(range);
});

it.each(['bytes=1000-', 'bytes=1000-1000', 'bytes=99999999999999999999-', 'bytes=-0'])(
  'cannot satisfy %s',
  (header) => {
    expect(readRangeHeader(header, SIZE)).toBe('unsatisfiable');
  },
);

it.each([
  null,
  undefined,
  '',
  'bytes',
  'bytes=',
  'bytes=-',
  'bytes=5-2',
  'bytes=a-b',
  'bytes=1-2,4-5',
  'bytes=0x1-2',
  'bytes=1.5-2',
  'bytes=--1',
  'items=0-1',
  'bytes=0-1\n',
])('answers the whole to %j', (header) => {
  expect(readRangeHeader(header, SIZE)).toBe('whole');
});

const FACTS = { size: SIZE, mime: 'audio/flac', root: 'ab'.repeat(32) };

it('answers the whole where the version asked for has changed', () => {
  const ask = (ifRange: string) => answerMedia(FACTS, { method: 'GET', range: 'bytes=0-1', ifRange }).status;
  expect(ask(`"${FACTS.root}"`)).toBe(206);
  expect(ask('"another"')).toBe(200);
  expect(ask(`W/"${FACTS.root}"`)).toBe(200);
});

it('gives HEAD the headers alone, and refuses other methods', () => {
  const head = answerMedia(FACTS, { method: 'HEAD', range: 'bytes=0-1' });
  expect(head).toMatchObject({ status: 200, body: undefined });
  expect(head.headers['Content-Length']).toBe('1000');
  expect(answerMedia(FACTS, { method: 'POST' }).status).toBe(405);
});

it.each([
  'text/html',
  'image/svg+xml',
  'audio/',
  'audio/x\r\nX: y',
  'audio/flac; charset=utf-8',
  '',
  'video/mp4',
])('serves %j as bytes of no kind', (mime) => {
  expect(servedType(mime)).toBe('application/octet-stream');
});
