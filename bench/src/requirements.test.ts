import { expect, it } from 'vitest';
import { Misuse } from './failure.ts';
import { requireSockets } from './requirements.ts';

it('takes as many sockets as a process may have open, and no more', () => {
  expect(() => requireSockets(900, 1_000)).not.toThrow();
  expect(() => requireSockets(901, 1_000)).toThrow(Misuse);
  expect(() => requireSockets(901, 1_000)).toThrow('ulimit -n 1001');
});

it('knows the limit of this process', () => {
  expect(() => requireSockets(1)).not.toThrow();
  expect(() => requireSockets(1e12)).toThrow(/open files a process may have/);
});
