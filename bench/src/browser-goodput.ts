import { fork, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startTracker } from '@sonantica/tracker';
import { BLOCK_HEADER_BYTES, LIMITS } from '@sonantica/wire';
import type { Page } from 'playwright-core';
import { LINK_FRAMES } from './goodput.ts';
import type { FromPeer, PeerSignal, RawChannelSettings, ToPeer } from './raw-channel-messages.ts';

declare global {
  /** In the page: the raw channel's other end, and what came of it. */
  var rawConnection: RTCPeerConnection;
  var rawDone: Promise<number>;
}

/** Who receives. */
export type Towards = 'page' | 'node';

/** What a near link lets be outstanding at most. */
const CHANNEL = { windowBytes: LINK_FRAMES.wrtc.windowBytes, rtc: 'wrtc' } as const;
/** From this rate on a link has several blocks in a frame, in decimal megabytes a second: `FlowWindow.isFast`. */
const FAST_MBPS = (LIMITS.maxBlocksInFrame * LIMITS.blockBytes) / 5_000;
const PATIENCE_MS = 60_000;

/** What the library carried between a page and Node. */
export interface PageGoodput {
  /** Decimal megabytes a second, from the first block to the last. */
  readonly toPageMBps: number;
  readonly toNodeMBps: number;
}

/** The frame of a link that carries so many decimal megabytes a second, in bytes. */
export function frameBytesAt(mbPerS: number): number {
  return mbPerS >= FAST_MBPS ? LINK_FRAMES.wrtc.frameBytes : BLOCK_HEADER_BYTES + LIMITS.blockBytes;
}

/** What a bare data channel carries between a page and Node in such frames, asked for as the library does, in decimal megabytes a second. */
export async function measureRawWithPage(
  page: Page,
  towards: Towards,
  megabytes: number,
  frameBytes: number,
): Promise<number> {
  const settings: RawChannelSettings = { ...CHANNEL, frameBytes, megabytes };
  const child = fork(besides('raw-channel-peer'), { serialization: 'json' });
  try {
    const role = towards === 'page' ? 'sender' : 'receiver';
    const said = messagesOf<FromPeer>(child);
    const tell = (message: ToPeer) => void child.send(message);
    if (towards === 'page') {
      tell({ type: 'begin', role, settings });
      const offer = await said('signal');
      tell({ type: 'signal', description: await receiveInPage(page, offer.description, settings) });
      return await page.evaluate(() => globalThis.rawDone);
    }
    tell({ type: 'begin', role, settings });
    tell({ type: 'signal', description: await sendFromPage(page, settings) });
    const answer = await said('signal');
    await page.evaluate((sdp) => globalThis.rawConnection.setRemoteDescription(sdp), answer.description);
    const { bytes, ms } = await said('done');
    return bytes / 1000 / ms;
  } finally {
    child.kill();
    await page.evaluate(() => globalThis.rawConnection?.close());
  }
}

/** What a link of the library carries from Node to a page, and from that page to Node. */
export async function measureGoodputWithPage(page: Page, megabytes: number): Promise<PageGoodput> {
  const tracker = await startTracker({ port: 0 });
  let manifest: unknown;
  const origin = createServer((request, response) => {
    response.setHeader('Access-Control-Allow-Origin', '*');
    if (request.url === '/goodput.manifest.json' && manifest !== undefined)
      response.end(JSON.stringify(manifest));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const originUrl = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
  const children: ChildProcess[] = [];
  const start = (role: 'seeder' | 'leecher') => {
    const child = fork(besides('goodput-peer'), [
      role,
      CHANNEL.rtc,
      tracker.url,
      originUrl,
      String(megabytes),
    ]);
    children.push(child);
    return child;
  };
  try {
    const seeder = start('seeder');
    const said = messagesOf<GoodputSaid>(seeder);
    ({ manifest } = await said('manifest'));
    await said('ready');
    const mbPerS = await downloadInPage(page, tracker.url, originUrl);
    seeder.kill('SIGKILL');
    const done = await messagesOf<GoodputSaid>(start('leecher'))('done');
    if (done.originBytes !== 0) throw new Error('the origin gave what the page should have');
    return { toPageMBps: mbPerS, toNodeMBps: done.mbPerS };
  } finally {
    for (const child of children) child.kill('SIGKILL');
    origin.close();
    await tracker.close();
  }
}

/** What `goodput-peer` tells. */
type GoodputSaid =
  | { readonly type: 'manifest'; readonly manifest: unknown }
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly mbPerS: number; readonly originBytes: number };

function downloadInPage(page: Page, tracker: string, origin: string) {
  return page.evaluate(
    async (place) => {
      const { createSwarm, openMemoryStore } = globalThis.sonantica;
      const swarm = createSwarm({
        ...place,
        aulaId: 'goodput',
        store: openMemoryStore(),
        contribution: { maxBandwidthMBPerDay: 100_000 },
      });
      const track = swarm.open('goodput');
      let first: { ms: number; bytes: number } | undefined;
      track.on('block', ({ bytes }) => (first ??= { ms: performance.now(), bytes }));
      await track.download();
      const { size } = await track.manifest();
      const ms = performance.now() - (first?.ms ?? 0);
      return (size - (first?.bytes ?? 0)) / 1000 / ms;
    },
    { tracker, origin },
  );
}

/** The page answers an offer, and receives until all has come. */
function receiveInPage(page: Page, offer: PeerSignal['description'], settings: RawChannelSettings) {
  return page.evaluate(
    async ({ description, frameBytes, windowBytes, megabytes }) => {
      const connection = new RTCPeerConnection();
      globalThis.rawConnection = connection;
      const control = connection.createDataChannel('control', { negotiated: true, id: 0 });
      const blocks = connection.createDataChannel('blocks', { negotiated: true, id: 1, ordered: false });
      blocks.binaryType = 'arraybuffer';
      const opened = [control, blocks].map((channel) => new Promise((resolve) => (channel.onopen = resolve)));
      globalThis.rawDone = new Promise((resolve) => {
        let toAsk = Math.ceil((megabytes * 1e6) / frameBytes);
        let toCome = toAsk;
        let owed = 0;
        let bytes = 0;
        let begunMs = 0;
        const windowFrames = Math.max(1, Math.floor(windowBytes / frameBytes));
        const batch = Math.max(1, Math.floor(windowFrames / 4));
        const ask = (frames: number) => {
          const count = Math.min(frames, toAsk);
          if (count === 0) return;
          toAsk -= count;
          const request = new DataView(new ArrayBuffer(4));
          request.setUint32(0, count);
          control.send(request);
        };
        blocks.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
          bytes += data.byteLength;
          owed++;
          if (--toCome === 0) resolve(bytes / 1000 / (performance.now() - begunMs));
          else if (owed >= batch) {
            ask(owed);
            owed = 0;
          }
        };
        void Promise.all(opened).then(() => {
          begunMs = performance.now();
          ask(windowFrames);
        });
      });
      await connection.setRemoteDescription(description);
      await connection.setLocalDescription();
      while (connection.iceGatheringState !== 'complete') await new Promise((r) => setTimeout(r, 10));
      return { type: 'answer' as const, sdp: connection.localDescription?.sdp ?? '' };
    },
    { description: offer, ...settings },
  );
}

/** The page offers, and sends as many frames as it is asked for. */
function sendFromPage(page: Page, { frameBytes }: RawChannelSettings) {
  return page.evaluate(async (length) => {
    const connection = new RTCPeerConnection();
    globalThis.rawConnection = connection;
    const control = connection.createDataChannel('control', { negotiated: true, id: 0 });
    const blocks = connection.createDataChannel('blocks', { negotiated: true, id: 1, ordered: false });
    control.binaryType = 'arraybuffer';
    const frame = new Uint8Array(length).map((_, i) => (i * 31) & 255);
    control.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      for (let left = new DataView(data).getUint32(0); left > 0; left--) blocks.send(frame);
    };
    await connection.setLocalDescription();
    while (connection.iceGatheringState !== 'complete') await new Promise((r) => setTimeout(r, 10));
    return { type: 'offer' as const, sdp: connection.localDescription?.sdp ?? '' };
  }, frameBytes);
}

function besides(name: string): URL {
  return new URL(import.meta.url.endsWith('.ts') ? `../dist/${name}.js` : `./${name}.js`, import.meta.url);
}

/** A process's messages, awaited by type; those that come before anyone awaits them are kept. */
function messagesOf<M extends { readonly type: string }>(child: ChildProcess) {
  const kept: M[] = [];
  let woken = () => undefined as void;
  let ended: string | undefined;
  child.on('message', (message: M) => {
    kept.push(message);
    woken();
  });
  child.once('exit', (code) => {
    ended = `a process ended with ${code}`;
    woken();
  });
  return async <T extends M['type']>(type: T): Promise<Extract<M, { type: T }>> => {
    const untilMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const failed = kept.find((message) => message.type === 'failed');
      if (failed !== undefined) throw new Error(JSON.stringify(failed));
      const at = kept.findIndex((message) => message.type === type);
      if (at >= 0) return kept.splice(at, 1)[0] as Extract<M, { type: T }>;
      if (ended !== undefined) throw new Error(ended);
      if (performance.now() > untilMs) throw new Error(`no ${type} within ${PATIENCE_MS} ms`);
      await Promise.race([
        new Promise<void>((resolve) => (woken = resolve)),
        new Promise<void>((resolve) => setTimeout(resolve, 1_000)),
      ]);
    }
  };
}
