import type { RtcConfiguration, RtcDataChannel, RtcImplementation } from '@sonantica/swarm';
import { decodePeerFrame } from '@sonantica/wire';

/** What stands between one end of a link and its data channels. */
export interface Tap {
  /** This end sends a frame. `pass` puts what it is given on the same channel, now or later; without a call nothing is sent. */
  readonly sent?: (frame: Uint8Array, pass: (frame: Uint8Array) => void) => void;
  /** A frame arrived; seen just before this end sees it. */
  readonly received?: (frame: Uint8Array) => void;
}

/** A WebRTC implementation whose every link is tapped: how a peer is made to lie, to lag, or to be watched. */
export function tapped(base: RtcImplementation, makeTap: () => Tap): RtcImplementation {
  return {
    ...base,
    RTCPeerConnection: class extends base.RTCPeerConnection {
      readonly #tap: Tap;

      constructor(configuration: RtcConfiguration) {
        super(configuration);
        this.#tap = makeTap();
      }

      override createDataChannel(
        label: string,
        options: { negotiated: boolean; id: number; ordered: boolean },
      ): RtcDataChannel {
        return tapChannel(super.createDataChannel(label, options), this.#tap);
      }
    },
  };
}

function tapChannel(channel: RtcDataChannel, tap: Tap): RtcDataChannel {
  const pass = (frame: Uint8Array) => {
    if (channel.readyState === 'open') channel.send(new Uint8Array(frame));
  };
  const send: RtcDataChannel['send'] = (frame) => {
    if (tap.sent === undefined) pass(frame);
    else tap.sent(new Uint8Array(frame), pass);
  };
  const addEventListener: RtcDataChannel['addEventListener'] = (type, listener) => {
    channel.addEventListener(type, (event) => {
      if (type === 'message') tap.received?.(bytesOf(event));
      listener(event);
    });
  };
  return new Proxy(channel, {
    get: (target, name) => {
      if (name === 'send') return send;
      if (name === 'addEventListener') return addEventListener;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}

function bytesOf(event: unknown): Uint8Array {
  if (typeof event === 'object' && event !== null && 'data' in event) {
    const { data } = event;
    if (data instanceof ArrayBuffer) return new Uint8Array(data.slice(0));
    if (ArrayBuffer.isView(data))
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  }
  throw new Error('a message of bytes was expected');
}

/** A tap that lets one block out every `everyMs`: a slow line. Other frames pass at once. */
export function slow(everyMs: number): Tap {
  let freeAtMs = 0;
  return {
    sent: (frame, pass) => {
      if (decodePeerFrame(frame).type !== 'block') return pass(frame);
      const now = performance.now();
      freeAtMs = Math.max(now, freeAtMs) + everyMs;
      setTimeout(() => pass(frame), freeAtMs - now);
    },
  };
}
