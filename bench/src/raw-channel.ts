import { fork, type ChildProcess } from 'node:child_process';
import type { FromPeer, RawChannelSettings, ToPeer } from './raw-channel-messages.ts';

export type { RawChannelSettings } from './raw-channel-messages.ts';

/** What a bare data channel did. */
export interface RawChannelRate {
  /** Decimal megabytes a second, from the first request to the last byte. */
  readonly mbPerS: number;
}

/** Anything slower than this is a failure of the measurement. */
const PATIENCE_MS = 120_000;

/**
 * The rate of a bare `RTCDataChannel` between two processes of this machine: what a link of the library can
 * be compared with. The receiver asks for frames as the library does, a quarter of the window at a time, so
 * that at most `windowBytes` are under way. Rejects when a process ends early or two minutes pass.
 */
export async function measureRawChannel(settings: RawChannelSettings): Promise<RawChannelRate> {
  const file = new URL(
    import.meta.url.endsWith('.ts') ? '../dist/raw-channel-peer.js' : './raw-channel-peer.js',
    import.meta.url,
  );
  const sender = fork(file, { serialization: 'json' });
  const receiver = fork(file, { serialization: 'json' });
  try {
    return await new Promise<RawChannelRate>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no end within ${PATIENCE_MS} ms`)), PATIENCE_MS);
      timer.unref();
      relay(sender, receiver, resolve, reject);
      relay(receiver, sender, resolve, reject);
      tell(receiver, { type: 'begin', role: 'receiver', settings });
      tell(sender, { type: 'begin', role: 'sender', settings });
    });
  } finally {
    sender.kill();
    receiver.kill();
  }
}

function relay(
  from: ChildProcess,
  to: ChildProcess,
  resolve: (rate: RawChannelRate) => void,
  reject: (error: Error) => void,
): void {
  from.on('message', (message: FromPeer) => {
    if (message.type === 'signal') tell(to, message);
    else if (message.type === 'failed') reject(new Error(message.message));
    else resolve({ mbPerS: message.bytes / 1000 / message.ms });
  });
  from.once('exit', (code) => reject(new Error(`a process ended with ${code}`)));
  from.once('error', reject);
}

function tell(child: ChildProcess, message: ToPeer): void {
  child.send(message);
}
