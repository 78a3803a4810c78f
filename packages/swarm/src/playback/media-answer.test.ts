import { expect, it } from 'vitest';
import { beginsAtHead } from './media-answer.ts';

it.each([
  ['GET', undefined, true],
  ['GET', null, true],
  ['GET', 'bytes=0-', true],
  ['GET', 'bytes=0-98303', true],
  ['GET', 'Bytes=0-00', true],
  ['GET', 'bytes=0-0', false],
  ['GET', 'bytes=1-', false],
  ['GET', 'bytes=00-', false],
  ['GET', 'bytes=-1000', false],
  ['GET', 'bytes=900000-', false],
  ['HEAD', undefined, false],
  ['POST', 'bytes=0-', false],
])('%s with the range %s begins at the head: %s', (method, range, begins) => {
  expect(beginsAtHead({ method, range })).toBe(begins);
});
