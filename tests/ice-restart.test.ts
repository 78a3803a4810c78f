import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

/** Namespaces of its own. Linux, where users may make them. */
const APART = ['--map-root-user', '--net', '--mount'];
const possible =
  spawnSync('unshare', [...APART, 'sh', '-c', 'mount -t tmpfs tmpfs /run && ip netns add a']).status === 0;
const skips = !possible && process.env['CI'] !== 'true';

describe('a link whose path is cut', () => {
  // One restart in about ten finds no way in wrtc: the state of two real machines' networks is what is tried here.
  it.skipIf(skips)(
    'goes on over another one by a single restart of ICE, before it would be given up',
    { timeout: 70_000, retry: 2 },
    async () => {
      const driver = fileURLToPath(new URL('support/two-paths.mjs', import.meta.url));
      const links = new URL('../packages/swarm/dist/links/', import.meta.url).href;
      const { stdout } = await promisify(execFile)('unshare', [...APART, process.execPath, driver, links], {
        timeout: 60_000,
      });
      const report: { offers: number; silentMs: number[]; ended: string[] } = JSON.parse(stdout);
      expect(report).toMatchObject({ ended: [], offers: 2 });
      expect(report.silentMs.length).toBeGreaterThanOrEqual(2);
      expect(Math.max(...report.silentMs)).toBeLessThan(12_000);
    },
  );

  it.runIf(skips)('is not tried here: install unshare (util-linux) and ip (iproute2)', ({ skip }) => skip());
});
