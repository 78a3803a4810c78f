import type { PeerTier } from '@sonantica/wire';
import { isVisibleTo } from './peer-registry.ts';
import type { Peer } from './roster.ts';

/** How long one who was sent a signal may answer it, whatever became of swarms and Aulas. */
export const ANSWER_WINDOW_MS = 300_000;
/** Senders remembered for one receiver; the oldest are forgotten first. */
const MAX_REMEMBERED = 256;

/**
 * Whether a signal may pass: the receiver is visible to the sender, or the receiver signalled the sender
 * within {@link ANSWER_WINDOW_MS}. Nobody signals itself.
 */
export function maySignal(from: Peer, to: Peer, nowMs: number): boolean {
  if (from === to) return false;
  return wasSignalled(from, to, nowMs) || isVisibleTo(from, to);
}

/** Whether no signal went between the two within {@link ANSWER_WINDOW_MS}, either way. */
export function isFreshTarget(from: Peer, to: Peer, nowMs: number): boolean {
  return !wasSignalled(from, to, nowMs) && !wasSignalled(to, from, nowMs);
}

function wasSignalled(receiver: Peer, sender: Peer, nowMs: number): boolean {
  const signalledMs = receiver.signalledBy?.get(sender.serial);
  return signalledMs !== undefined && nowMs - signalledMs < ANSWER_WINDOW_MS;
}

/** Remembers that `to` was sent a signal by `from`, and may answer. */
export function rememberSignal(from: Peer, to: Peer, nowMs: number): void {
  const senders = (to.signalledBy ??= new Map());
  senders.delete(from.serial);
  senders.set(from.serial, nowMs);
  if (senders.size <= MAX_REMEMBERED) return;
  for (const serial of senders.keys()) {
    senders.delete(serial);
    return;
  }
}

/** How near the sender is to the receiver. */
export function tierBetween(a: Peer, b: Peer): PeerTier {
  return a.aula !== undefined && a.aula === b.aula ? 'aula' : 'global';
}
