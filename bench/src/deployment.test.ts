import { describe, expect, it } from 'vitest';
import { checkDeployment, checkOriginLoad, type DeploymentFlags } from './deployment.ts';
import { DEFAULT_SCENARIO, type Scenario } from './scenario.ts';

const check = (flags: DeploymentFlags, scenario: Partial<Scenario> = {}) =>
  checkDeployment(flags, 'real', { ...DEFAULT_SCENARIO, ...scenario });
const url = (text: string) => new URL(text);

describe('a run against a deployment', () => {
  it('needs no word where it is this machine', () => {
    expect(
      check({ tracker: url('ws://127.0.0.1:7000'), origin: url('http://localhost:7001/tracks/') }),
    ).toEqual({
      tracker: 'ws://127.0.0.1:7000/',
      origin: 'http://localhost:7001/tracks',
      trackId: undefined,
    });
  });

  it('needs every other host to be named again', () => {
    const flags = { tracker: url('wss://tracker.example.org'), origin: url('https://music.example.org/t') };
    expect(() => check(flags)).toThrow(/--confirm-host tracker.example.org/);
    expect(() => check({ ...flags, confirmHost: ['tracker.example.org'] })).toThrow(
      /--confirm-host music.example.org/,
    );
    expect(() =>
      check({ ...flags, confirmHost: ['tracker.example.org', 'music.example.org'] }),
    ).not.toThrow();
    expect(() => check({ tracker: url('ws://127.0.0.1.example.org') })).toThrow(/confirm-host/);
  });

  it.each<[string, DeploymentFlags, Partial<Scenario>, RegExp]>([
    [
      'more than 200 listeners',
      { tracker: url('ws://127.0.0.1:1') },
      { peers: 201 },
      /200 listeners at most/,
    ],
    [
      'the death of its tracker',
      { tracker: url('ws://127.0.0.1:1') },
      { trackerDiesS: 1 },
      /cannot be ended/,
    ],
    ['the death of its origin', { origin: url('http://127.0.0.1:1') }, { originDiesS: 1 }, /cannot be ended/],
    ['liars', { origin: url('http://127.0.0.1:1') }, { liars: 0.1 }, /Bad peers/],
    [
      'a port for a tracker of ours',
      { tracker: url('ws://127.0.0.1:1'), trackerPort: 2 },
      {},
      /--tracker-port is that of our own/,
    ],
    [
      'a port for an origin of ours',
      { origin: url('http://127.0.0.1:1'), originPort: 2 },
      {},
      /--origin-port is that of our own/,
    ],
    ['a track of no origin', { track: 'song' }, {}, /--origin, which is missing/],
  ])('refuses %s, confirmed or not', (_, flags, scenario, why) => {
    expect(() => check(flags, scenario)).toThrow(why);
  });

  it('takes its most', () => {
    const flags = { tracker: url('ws://127.0.0.1:1'), origin: url('http://127.0.0.1:1') };
    expect(() => check(flags, { peers: 200, sizeMB: 50 })).not.toThrow();
  });

  it.each([
    [100, 100, true],
    [101, 100, false],
    [200, 50, true],
    [200, 50.1, false],
  ])('of %i listeners of %f MB each may load an origin: %s', (peers, sizeMB, may) => {
    const run = () => checkOriginLoad({ ...DEFAULT_SCENARIO, peers, sizeMB });
    if (may) expect(run).not.toThrow();
    else expect(run).toThrow(/10000 MB at most/);
  });

  it('is not simulated', () => {
    expect(() => checkDeployment({ origin: url('http://127.0.0.1:1') }, 'sim', DEFAULT_SCENARIO)).toThrow(
      /--runtime real/,
    );
  });
});
