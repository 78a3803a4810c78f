import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { NODE_RTC_NAMES, type NodeRtcName } from './node-rtc.ts';

/**
 * A process that opens links to itself in batches, sends over each, closes them and has nothing more to do.
 * It runs the built library, for Node alone does not read TypeScript.
 */
const CHILD = `
  const { loadNodeRtc } = await import(process.env.LINKS + 'node-rtc.js');
  const { RtcConnector } = await import(process.env.LINKS + 'rtc-connector.js');
  const [name, count, end] = process.argv.slice(1);
  const rtc = await loadNodeRtc(name);
  let opened = 0, received = 0;
  const batch = (size) => new Promise((resolve, reject) => {
    let connectors = [], heard = 0;
    const make = (self) => new RtcConnector({
      rtc,
      selfId: () => self,
      handler: {
        send: (to, data) => queueMicrotask(() => connectors[to]?.signal(self, data)),
        failed: (peerId, error) => reject(error),
        link: (peerId, link) => {
          opened += 1;
          link.start({ frame: () => { received += 1; if (++heard === 2 * size) resolve(Object.values(connectors)); }, drain() {}, closed() {} });
          link.send(Uint8Array.of(1), 'control');
        },
      },
    });
    connectors = {};
    for (let i = 0; i < 2 * size; i++) connectors['peer' + i] = make('peer' + i);
    for (let i = 0; i < size; i++) connectors['peer' + 2 * i].connect('peer' + (2 * i + 1));
  });
  for (let left = Number(count); left > 0; left -= 10) {
    const connectors = await batch(Math.min(left, 10));
    if (end === 'awaited') await Promise.all(connectors.map((each) => each.close()));
    else for (const each of connectors) void each.close();
  }
  console.log(JSON.stringify({ opened, received }));
`;

type Closing = 'awaited' | 'left alone';

async function run(name: NodeRtcName, links: number, end: Closing, within: string[] = []): Promise<unknown> {
  const child = [process.execPath, '--input-type=module', '--eval', CHILD, '--', name, String(links), end];
  const [command, ...args] = [...within, ...child];
  if (command === undefined) throw new Error('there is a command');
  const { stdout } = await promisify(execFile)(command, args, {
    timeout: 60_000,
    env: { ...process.env, LINKS: new URL('../../dist/links/', import.meta.url).href },
  });
  return JSON.parse(stdout);
}

describe('a process', () => {
  it.each<[number, NodeRtcName, Closing]>([
    [300, 'wrtc', 'awaited'],
    [20, 'wrtc', 'left alone'],
    [40, 'werift', 'awaited'],
    [10, 'werift', 'left alone'],
  ])(
    'ends by itself after %i links over %s were opened and closed, the closing %s',
    async (links, name, end) => {
      expect(await run(name, links, end)).toEqual({ opened: 2 * links, received: 2 * links });
    },
    70_000,
  );
});

/** A machine of its own: no interface but loopback. Linux, where users may make namespaces. */
const ALONE = ['unshare', '--map-root-user', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
const canBeAlone = spawnSync('unshare', [...ALONE.slice(1), 'true']).status === 0;

const skips = !canBeAlone && process.env['CI'] !== 'true';

describe('a machine with no network but loopback', () => {
  it.skipIf(skips).each(NODE_RTC_NAMES)('has links over %s all the same', async (name) => {
    expect(await run(name, 1, 'awaited', ALONE)).toEqual({ opened: 2, received: 2 });
  });

  it.runIf(skips)('is not tried here: install unshare (util-linux) and ip (iproute2)', ({ skip }) => skip());
});
