import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';

import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { defaultRouteAddresses, loadNodeRtc } from './node-rtc.ts';

describe('choosing WebRTC for Node', () => {
  it('prefers wrtc and knows no bound for it', async () => {
    const rtc = await loadNodeRtc();
    expect(rtc.name).toBe('wrtc');
    expect(rtc.maxWindowBytes).toBeUndefined();
  });

  it('takes the one that is named', async () => {
    expect(await loadNodeRtc('werift')).toMatchObject({ name: 'werift', maxWindowBytes: 65_536 });
    expect(await loadNodeRtc('wrtc')).toMatchObject({ name: 'wrtc' });
  });

  /** Loads it where only the given packages are installed, and says what came of it. */
  async function loadedAmong(packages: Record<string, string>, name?: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'sonantica-rtc-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
    await mkdir(join(folder, 'links'));
    for (const file of ['errors.js', 'links/node-rtc.js']) await cp(join(dist, file), join(folder, file));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    for (const [each, source] of Object.entries(packages)) {
      const at = join(folder, 'node_modules', each);
      await mkdir(at, { recursive: true });
      await writeFile(join(at, 'index.js'), source);
    }
    const script = `
      const { loadNodeRtc } = await import(process.env.MODULE);
      const said = await loadNodeRtc(${JSON.stringify(name)}).then((rtc) => rtc.name, (error) => error.code + ': ' + error.message);
      console.log(said);
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', script],
      {
        env: { ...process.env, MODULE: pathToFileURL(join(folder, 'links/node-rtc.js')).href },
        timeout: 10_000,
      },
    );
    return stdout.trim();
  }

  const WORKS = 'exports.RTCPeerConnection = class {};';

  it('falls back to werift where wrtc is not installed, or does not run', async () => {
    expect(await loadedAmong({ werift: WORKS })).toBe('werift');
    const broken = "throw new Error('Could not find wrtc binary');";
    expect(await loadedAmong({ werift: WORKS, '@roamhq/wrtc': broken })).toBe('werift');
  });

  it('does not fall back from the one that is named', async () => {
    expect(await loadedAmong({ werift: WORKS }, 'wrtc')).toMatch(
      /^rtc-unavailable: .*npm install @roamhq\/wrtc/,
    );
  });

  it('says what to install where there is none', async () => {
    expect(await loadedAmong({})).toMatch(/^rtc-unavailable: .*@roamhq\/wrtc or werift/);
    expect(await loadedAmong({ werift: 'exports.nothing = 1;' }, 'werift')).toMatch(
      /^rtc-unavailable: .*npm install werift/,
    );
  });
});

describe('the addresses told to other peers', () => {
  it('are addresses of this machine, and loopback only where there is nothing else', async () => {
    const shown = await defaultRouteAddresses();
    const all = Object.values(networkInterfaces()).flatMap((each = []) => each);
    const outside = all.filter(({ internal }) => !internal);
    expect(shown.length).toBeGreaterThan(0);
    for (const address of shown) expect(all.map((each) => each.address)).toContain(address);
    if (outside.length > 0) expect(shown).not.toContain('127.0.0.1');
  });
});
