import { attack, attackSoFar, type AttackKind, type AttackSoFar } from './tracker-attacks.ts';
import { answer } from './tracker-child.ts';

// A hostile stranger in a process of its own, told over IPC whom to attack and how. It goes on until it is killed.

/** What the bench tells it. */
export type ToAttacker =
  | { readonly type: 'attack'; readonly kind: AttackKind; readonly url: string }
  /** How much of it there was so far. */
  | { readonly type: 'count' };

/** What it answers: when the attack is on, and what came of it. */
export type FromAttacker = { readonly type: 'attacking' } | ({ readonly type: 'counted' } & AttackSoFar);

answer<ToAttacker, FromAttacker>(async (message) => {
  if (message.type === 'count') return { type: 'counted', ...attackSoFar() };
  await attack(message.kind, message.url);
  return { type: 'attacking' };
});
