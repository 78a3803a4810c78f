import createDebug from 'debug';
import { LIMITS } from '@sonantica/wire';
import { WebSocket } from 'ws';
import { loadNodeRtc } from './links/node-rtc.ts';
import type { Platform } from './platform.ts';
import { nodeHasher } from './verify/sha256-node.ts';
import { nodeVerifySignature } from './verify/signature-node.ts';

export const platform: Platform = {
  log: createDebug('sonantica:swarm'),
  hasher: nodeHasher,
  memory: (bytes) => {
    const { buffer, byteOffset, byteLength } = Buffer.allocUnsafeSlow(bytes);
    return new Uint8Array(buffer, byteOffset, byteLength);
  },
  verifySignature: nodeVerifySignature,
  openWebSocket: (url, protocol) => {
    const socket = new WebSocket(url, protocol, {
      perMessageDeflate: false,
      maxPayload: 4 * LIMITS.maxTrackerMessageBytes,
    });
    return {
      get readyState() {
        return socket.readyState;
      },
      send: (text) => socket.send(text),
      close: (code, reason) => socket.close(code, reason),
      addEventListener: (type: string, listener: (event: never) => void) =>
        socket.addEventListener(type as 'open', listener as () => void),
    };
  },
  loadRtc: () => loadNodeRtc(),
};
