import type { RtcDescription, RtcImplementation } from '@sonantica/swarm';

/**
 * A process that gathers candidates for many wrtc connections at once does quadratic work: each that begins makes those
 * under way open all their sockets anew (20 at once take 94 file descriptors each, one after another 18). Listeners on
 * machines of their own would not notice each other, so those of one process begin this far apart, in milliseconds.
 */
const APART_MS = 50;

/** The same implementation, its connections beginning to gather one after another. */
export function gatherInTurn(rtc: RtcImplementation): RtcImplementation {
  let nextMs = 0;
  const turn = async () => {
    const nowMs = performance.now();
    const atMs = Math.max(nowMs, nextMs);
    nextMs = atMs + APART_MS;
    if (atMs > nowMs) await new Promise((resolve) => setTimeout(resolve, atMs - nowMs));
  };
  return {
    ...rtc,
    RTCPeerConnection: class extends rtc.RTCPeerConnection {
      override async setLocalDescription(description: RtcDescription): Promise<unknown> {
        await turn();
        return super.setLocalDescription(description);
      }
    },
  };
}
