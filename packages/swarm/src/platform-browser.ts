import { SwarmError } from './errors.ts';
import type { Platform } from './platform.ts';
import { createWebHasher } from './verify/sha256-web.ts';
import { createWebVerifySignature } from './verify/signature-web.ts';

export const platform: Platform = {
  hasher: createWebHasher(),
  verifySignature: createWebVerifySignature(),
  openWebSocket: (url, protocol) => new WebSocket(url, protocol),
  loadRtc: async () => {
    if (typeof RTCPeerConnection === 'undefined')
      throw new SwarmError('rtc-unavailable', 'this browser has no WebRTC');
    return { name: 'browser', RTCPeerConnection };
  },
};
