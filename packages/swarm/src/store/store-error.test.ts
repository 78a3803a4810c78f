import { expect, it } from 'vitest';
import { SwarmError } from '../errors.ts';
import { toStoreError } from './store-error.ts';

it.each([
  ['ENOSPC', 'store-full'],
  ['EDQUOT', 'store-full'],
  ['EIO', 'store-failed'],
  ['EACCES', 'store-failed'],
  ['EROFS', 'store-failed'],
])('makes of %s the error %s, with its cause', (code, expected) => {
  const cause = Object.assign(new Error(`${code}: it went wrong`), { code });
  const error = toStoreError(cause, 'keeping chunk 3');
  expect(error).toMatchObject({ code: expected, cause, message: expect.stringContaining('keeping chunk 3') });
});

it('makes store-failed of whatever else was thrown', () => {
  expect(toStoreError('text', 'reading')).toMatchObject({ code: 'store-failed', message: 'reading: text' });
  expect(toStoreError(undefined, 'reading')).toMatchObject({ code: 'store-failed' });
});

it('lets errors of the library pass', () => {
  const error = new SwarmError('closed', 'the store is closed');
  expect(toStoreError(error, 'reading')).toBe(error);
});
