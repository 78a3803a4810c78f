import type { ListenerFacts, Transfer } from '../record.ts';
import type { HostFacts } from './messages.ts';

/** Brings together what the processes counted: nonces become names. */
export function collect(facts: readonly HostFacts[]): {
  readonly listeners: readonly ListenerFacts[];
  readonly transfers: readonly Transfer[];
} {
  const names = new Map(facts.map(({ nonce, name }) => [nonce, name]));
  const nameOf = (nonce: string) => names.get(nonce) ?? 'a stranger';
  const listeners = facts.map((each): ListenerFacts => ({
    ...each,
    caught: each.caught.map(nameOf),
    blamed: each.blamed.map(nameOf),
  }));
  const transfers = facts.flatMap(({ name, from }) =>
    Object.entries(from).map(([nonce, bytes]) => ({ from: nameOf(nonce), to: name, bytes })),
  );
  return { listeners, transfers };
}
