import { expect, it } from 'vitest';
import { createSwarm } from './swarm.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');

it.each([
  ['nothing', ''],
  ['too short', 'abc'],
  ['31 bytes', Buffer.alloc(31, 7).toString('base64')],
  ['33 bytes', Buffer.alloc(33, 7).toString('base64')],
  ['base64url', Buffer.alloc(32, 0xff).toString('base64url')],
  ['without its padding', KEY.slice(0, -1)],
  ['hexadecimal', '07'.repeat(32)],
  ['a line of a file', `${KEY}\n`],
])('a publisher key that is %s is refused by the options', (_what, key) => {
  expect(() => createSwarm({ publisherKeys: [KEY, key] })).toThrow(
    expect.objectContaining({
      code: 'invalid-argument',
      message: `${JSON.stringify(key)} is no publisher key`,
    }),
  );
});

it('a publisher key of 32 bytes is taken', async () => {
  await createSwarm({ publisherKeys: [KEY] }).close();
});
