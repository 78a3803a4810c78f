import { attack, type AttackKind } from './tracker-attacks.ts';
import { answer } from './tracker-child.ts';

// A hostile stranger in a process of its own, told over IPC whom to attack and how. It goes on until it is killed.

/** What the bench tells it. */
export interface ToAttacker {
  readonly type: 'attack';
  readonly kind: AttackKind;
  readonly url: string;
}

/** What it answers when the attack is on. */
export interface FromAttacker {
  readonly type: 'attacking';
}

answer<ToAttacker, FromAttacker>(async ({ kind, url }) => {
  await attack(kind, url);
  return { type: 'attacking' };
});
