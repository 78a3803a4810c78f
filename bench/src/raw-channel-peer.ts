import type { RtcDataChannel, RtcPeerConnection } from '@sonantica/swarm';
import { loadNodeRtc } from '@sonantica/swarm/node';
import type { FromPeer, PeerSignal, RawChannelSettings, ToPeer } from './raw-channel-messages.ts';

// One end of a bare data channel, in a process of its own, told what to do over IPC.

/** What a receiver that keeps what comes puts into one piece of memory: a chunk. */
const PIECE_BYTES = 262_144;

/** The other end's one signal, also when it comes before anyone waits. */
const { promise: otherDescription, resolve: heard } = deferred<PeerSignal['description']>();

// An open connection keeps a process alive: it must not outlive the one that measures.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

process.on('message', (message: ToPeer) => {
  if (message.type === 'signal') {
    heard(message.description);
    return;
  }
  const end = message.role === 'sender' ? send : receive;
  end(message.settings).catch((error: unknown) => {
    tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  });
});

async function send(settings: RawChannelSettings): Promise<void> {
  const frame = new Uint8Array(settings.frameBytes).map((_, i) => (i * 31) & 255);
  const { connection, control, blocks } = await makeChannels(settings);
  // Before the channels open: the first request may come as soon as this one has, ahead of the other's event.
  control.addEventListener('message', (event) => {
    const bytes = bytesOf(event);
    for (let left = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0); left > 0; left--)
      blocks.send(frame);
  });
  await connect(connection, 'offer', [control, blocks]);
}

async function receive(settings: RawChannelSettings): Promise<void> {
  const { connection, control, blocks } = await makeChannels(settings);
  await connect(connection, 'answer', [control, blocks]);
  const { frameBytes, windowBytes, megabytes, keeps = false } = settings;
  const kept = new KeptFrames();
  const windowFrames = Math.max(1, Math.floor(windowBytes / frameBytes));
  const batchFrames = Math.max(1, Math.floor(windowFrames / 4));
  let toAsk = Math.ceil((megabytes * 1e6) / frameBytes);
  let toCome = toAsk;
  let owed = 0;
  const ask = (frames: number) => {
    const count = Math.min(frames, toAsk);
    if (count === 0) return;
    toAsk -= count;
    const request = new Uint8Array(4);
    new DataView(request.buffer).setUint32(0, count);
    control.send(request);
  };
  let bytes = 0;
  const startMs = performance.now();
  blocks.addEventListener('message', (event) => {
    const frame = bytesOf(event);
    bytes += frame.byteLength;
    if (keeps) kept.add(frame);
    toCome -= 1;
    owed += 1;
    if (toCome === 0) tell({ type: 'done', bytes, ms: performance.now() - startMs });
    else if (owed >= batchFrames) {
      ask(owed);
      owed = 0;
    }
  });
  ask(windowFrames);
}

/** Frames one after another in pieces of memory that nothing was in before. */
class KeptFrames {
  readonly #pieces: Uint8Array[] = [];
  #at = PIECE_BYTES;

  add(frame: Uint8Array): void {
    for (let from = 0; from < frame.length;) {
      if (this.#at === PIECE_BYTES) {
        this.#pieces.push(Buffer.allocUnsafeSlow(PIECE_BYTES));
        this.#at = 0;
      }
      const part = frame.subarray(from, from + PIECE_BYTES - this.#at);
      this.#pieces.at(-1)?.set(part, this.#at);
      this.#at += part.length;
      from += part.length;
    }
  }
}

async function makeChannels({ rtc }: RawChannelSettings) {
  const { RTCPeerConnection } = await loadNodeRtc(rtc);
  const connection = new RTCPeerConnection({ iceServers: [] });
  const control = connection.createDataChannel('control', { negotiated: true, id: 0, ordered: true });
  const blocks = connection.createDataChannel('blocks', { negotiated: true, id: 1, ordered: false });
  return { connection, control, blocks };
}

/** Resolves once the channels are open. */
async function connect(
  connection: RtcPeerConnection,
  role: 'offer' | 'answer',
  channels: readonly RtcDataChannel[],
): Promise<void> {
  const open = Promise.all(channels.map((channel) => opened(channel)));
  if (role === 'offer') {
    tell(await gathered(connection, 'offer'));
    await connection.setRemoteDescription(await otherDescription);
  } else {
    await connection.setRemoteDescription(await otherDescription);
    tell(await gathered(connection, 'answer'));
  }
  await open;
}

/** The description with all its UDP candidates: this measures channels, not how fast they are made. */
async function gathered(connection: RtcPeerConnection, type: 'offer' | 'answer'): Promise<PeerSignal> {
  const candidates: string[] = [];
  const complete = new Promise<void>((resolve) => {
    connection.addEventListener('icecandidate', (event) => {
      const text = candidateOf(event);
      if (text === undefined) resolve();
      else if (/ udp /i.test(text)) candidates.push(`a=${text}\r\n`);
    });
  });
  const { sdp = '' } = await (type === 'offer' ? connection.createOffer() : connection.createAnswer());
  await connection.setLocalDescription({ type, sdp });
  await complete;
  const bare = sdp.replaceAll(/^a=(?:candidate:.*|end-of-candidates)\r?\n/gm, '');
  return { type: 'signal', description: { type, sdp: bare + candidates.join('') } };
}

function candidateOf(event: unknown): string | undefined {
  if (!isObject(event) || !('candidate' in event) || !isObject(event.candidate)) return undefined;
  const { candidate } = event;
  return 'candidate' in candidate && typeof candidate.candidate === 'string'
    ? candidate.candidate
    : undefined;
}

function opened(channel: RtcDataChannel): Promise<void> {
  channel.binaryType = 'arraybuffer';
  if (channel.readyState === 'open') return Promise.resolve();
  return new Promise((resolve) => channel.addEventListener('open', () => resolve()));
}

function bytesOf(event: unknown): Uint8Array {
  const data = isObject(event) && 'data' in event ? event.data : undefined;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw new TypeError('a message without bytes');
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function tell(message: FromPeer): void {
  process.send?.(message);
}
