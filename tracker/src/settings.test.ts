import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { defaultText, describeSetting, parseSettings, SETTING_KEYS, SettingsError } from './settings.ts';
import { flagOf, readSettings, unknownVariables, variableOf } from './settings-sources.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sonantica-settings-'));
  folders.push(folder);
  const path = join(folder, 'tracker.json');
  writeFileSync(path, text);
  return path;
}

describe('settings', () => {
  it('are complete without any word', () => {
    expect(readSettings({ env: {}, flags: {} })).toMatchObject({ port: 7_000, trustProxy: 0, origins: [] });
  });

  it('take a flag before a variable, and a variable before the file', () => {
    const file = fileOf('{ "port": 1, "host": "::1", "maxConnections": 3 }');
    const env = { SONANTICA_TRACKER_PORT: '2', SONANTICA_TRACKER_HOST: '0.0.0.0' };
    expect(readSettings({ file, env, flags: { port: '4' } })).toMatchObject({
      port: 4,
      host: '0.0.0.0',
      maxConnections: 3,
    });
  });

  it('come from the file that a variable names', () => {
    const env = { SONANTICA_TRACKER_CONFIG: fileOf('{ "port": 9 }') };
    expect(readSettings({ env, flags: {} }).port).toBe(9);
  });

  it('read lists parted by commas', () => {
    const env = { SONANTICA_TRACKER_TRACKS: 'nocturne, aria.2 ,' };
    expect(readSettings({ env, flags: {} }).tracks).toEqual(['nocturne', 'aria.2']);
  });

  it('take an empty variable for none', () => {
    expect(readSettings({ env: { SONANTICA_TRACKER_PORT: '' }, flags: {} }).port).toBe(7_000);
  });

  it.each([
    [{ flags: { port: 'seven' } }, 'port (--port): expected a whole number'],
    [{ flags: { port: '65536' } }, 'port (--port): expected at most 65535'],
    [{ flags: { signalsPerMinute: '-1' } }, 'signalsPerMinute (--signals-per-minute): expected 0 or more'],
    [
      { flags: { signalsPerMinute: '1.5' } },
      'signalsPerMinute (--signals-per-minute): expected a whole number',
    ],
    [
      { flags: { maxShareOfOneAddress: '2' } },
      'maxShareOfOneAddress (--max-share-of-one-address): expected a number from 0 to 1',
    ],
    [
      { env: { SONANTICA_TRACKER_MAX_MEMORY_MB: 'lots' } },
      'maxMemoryMB (SONANTICA_TRACKER_MAX_MEMORY_MB): expected a whole number',
    ],
    [
      { env: { SONANTICA_TRACKER_LOG_LEVEL: 'loud' } },
      /^logLevel \(SONANTICA_TRACKER_LOG_LEVEL\): expected silent/,
    ],
    [{ flags: { origins: 'example.org' } }, /^origins \(--origins\): expected an origin/],
    [{ flags: { tracks: 'a b' } }, /^tracks \(--tracks\): expected track ids/],
    [{ flags: { turnUrls: 'http://x' } }, /^turnUrls \(--turn-urls\): expected a URL/],
    [{ flags: { turnTtlSeconds: '0' } }, /^turnTtlSeconds \(--turn-ttl-seconds\): expected 1 or more$/],
    [
      { flags: { announceIntervalMs: '0' } },
      /^announceIntervalMs \(--announce-interval-ms\): expected 1000 or more$/,
    ],
    [{ flags: { announceIntervalMs: '60000' } }, /expected at most 50000$/],
    [{ flags: { turnUrls: 'turn:a:1' } }, /^turnUrls \(--turn-urls\): needs turnSecret/],
    [
      { env: { SONANTICA_TRACKER_TURN_SECRET: 'x' } },
      /^turnSecret \(SONANTICA_TRACKER_TURN_SECRET\): needs turnUrls/,
    ],
    [
      { flags: { origins: 'https://example.org/' } },
      /^origins \(--origins\): .* without a slash at its end$/,
    ],
  ])('name the key of %j', ({ env = {}, flags = {} }: { env?: object; flags?: object }, message) => {
    expect(() => readSettings({ env: { ...env }, flags })).toThrow(message);
  });

  it.each([
    ['{ "prot": 7000 }', /^prot \(.*tracker\.json\): no such setting$/],
    ['{ "port": "7000" }', /^port \(.*tracker\.json\): expected a whole number$/],
    ['{ "tracks": "all" }', /^tracks \(.*tracker\.json\): expected a list$/],
    ['{ "tracks": [7] }', /^tracks \(.*tracker\.json\): expected track ids/],
    ['{ "__proto__": { "port": 1 } }', /no such setting/],
    ['[]', /^config: .* holds no JSON object$/],
    ['{', /^config: .* is not JSON/],
  ])('in a file refuse %s', (text, message) => {
    expect(() => readSettings({ file: fileOf(text), env: {}, flags: {} })).toThrow(message);
  });

  it('refuse a file that is not there', () => {
    expect(() => readSettings({ file: '/nowhere/tracker.json', env: {}, flags: {} })).toThrow(SettingsError);
  });

  it('each have a flag, a variable, a description and a default', () => {
    expect(flagOf('maxMemoryMB')).toBe('--max-memory-mb');
    expect(variableOf('maxMemoryMB')).toBe('SONANTICA_TRACKER_MAX_MEMORY_MB');
    for (const key of SETTING_KEYS) {
      expect(describeSetting(key), key).not.toBe('');
      expect(typeof defaultText(key)).toBe('string');
    }
    expect(new Set(SETTING_KEYS.map(flagOf)).size).toBe(SETTING_KEYS.length);
  });

  it('tell variables that set nothing', () => {
    const env = { SONANTICA_TRACKER_PROT: '1', SONANTICA_TRACKER_PORT: '1', PATH: '' };
    expect(unknownVariables(env)).toEqual(['SONANTICA_TRACKER_PROT']);
  });

  it('take 0 for every limit', () => {
    const limits = SETTING_KEYS.filter((key) => /^max|PerMinute|Timeout/.test(key));
    expect(limits.length).toBeGreaterThan(15);
    expect(() => parseSettings(Object.fromEntries(limits.map((key) => [key, 0])))).not.toThrow();
  });
});
