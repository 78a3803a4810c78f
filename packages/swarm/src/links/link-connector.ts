import type { PeerId } from '@sonantica/wire';

/** Makes links by signals relayed through the tracker. Never throws, whatever a stranger signals. */
export interface LinkConnector {
  /** Begins a link, unless there is one to this peer or one is being made. */
  connect(peerId: PeerId): void;
  /** Takes a signal that the tracker says is from `from`. */
  signal(from: PeerId, data: unknown): void;
  /** Gives up an attempt. A link that stands is left alone. */
  abandon(peerId: PeerId, reason: string): void;
  /** Gives up an attempt for want of a place, and tells the other end. A link that stands is left alone. */
  giveWay(peerId: PeerId): void;
  /** Ends every attempt and every link it made; resolves when nothing of them keeps the process alive. */
  close(): Promise<void>;
}
