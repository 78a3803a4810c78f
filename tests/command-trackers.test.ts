import { createSecretKey } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startTracker } from '@sonantica/tracker';
import { SignJWT } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { swarmCommand } from './support/command.ts';
import { makeFolder, startPlace } from './support/place.ts';
import { until } from './support/until.ts';

const SECRET = 'a secret between the house and its tracker';
const WITH_AUTH = { tracker: { auth: SECRET } };
const sign = (secret = SECRET) =>
  new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('ada')
    .setExpirationTime('10m')
    .sign(createSecretKey(Buffer.from(secret)));

describe('a tracker that is not there', () => {
  it('is told by get, once, which goes on with the origin alone', async () => {
    const { origin, track } = await startPlace({ chunks: 8 });
    const args = ['get', track.trackId, '--origin', origin.url, '--tracker', 'ws://127.0.0.1:9'];
    const { status, stdout, stderr } = await swarmCommand(...args, '--json').ended;
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr:
        'sonantica-swarm: tracker ws://127.0.0.1:9 is out of reach (connect ECONNREFUSED 127.0.0.1:9): going on with the origin alone\n',
    });
    expect(JSON.parse(stdout)).toMatchObject({ sha256: track.sha256 });
  });

  it('is told by seed, and told again when it is up', async () => {
    const { track } = await startPlace({ chunks: 1 });
    const port = await freePort();
    const url = `ws://127.0.0.1:${port}`;
    const seeder = swarmCommand('seed', track.path, '--tracker', url, '--json');
    await until('it is told', () => seeder.stderr().endsWith('\n'));
    expect(seeder.stderr()).toBe(
      `sonantica-swarm: tracker ${url} is out of reach (connect ECONNREFUSED 127.0.0.1:${port}): still trying\n`,
    );
    const tracker = await startTracker({ port });
    onTestFinished(() => tracker.close());
    await until('it is told again', () => seeder.stderr().split('\n').length === 3);
    expect(seeder.stderr()).toMatch(/\nsonantica-swarm: tracker .+ is up\n$/);
    expect(await seeder.json()).toMatchObject({ trackId: track.trackId });
    expect(seeder.stdout().split('\n')).toHaveLength(2);
  });

  it('is told after some seconds where it takes the call and says nothing', async () => {
    const { track } = await startPlace({ chunks: 1 });
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void silent.close());
    const url = `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const seeder = swarmCommand('seed', track.path, '--tracker', url);
    await until('it is told', () => seeder.stderr() !== '', 9_000);
    expect(seeder.stderr()).toBe(`sonantica-swarm: tracker ${url} does not answer: still trying\n`);
  });
});

describe('a tracker that asks for a token', () => {
  it('is told to refuse, and why', async () => {
    const { tracker, origin, track } = await startPlace({ chunks: 8, ...WITH_AUTH });
    const args = ['get', track.trackId, '--origin', origin.url, '--tracker', tracker.url, '--json'];
    const { status, stderr } = await swarmCommand(...args).ended;
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: `sonantica-swarm: tracker ${tracker.url} refuses (a token is needed; see --token and --token-file): going on with the origin alone\n`,
    });
  });

  it('admits who gives one', async () => {
    const { tracker, origin, track } = await startPlace({ chunks: 8, ...WITH_AUTH });
    const seeder = swarmCommand('seed', track.path, '--tracker', tracker.url, '--token', await sign());
    await until('the seeder is announced', () => tracker.stats().members === 1);
    const file = join(await makeFolder(), 'token');
    await writeFile(file, `${await sign()}\n`);
    const args = ['get', track.trackId, '--origin', origin.url, '--tracker', tracker.url];
    const { status, stderr } = await swarmCommand(...args, '--json', '--token-file', file).ended;
    expect({ status, stderr, said: seeder.stderr() }).toEqual({ status: 0, stderr: '', said: '' });
  });

  it('is shown what the file has by then: a renewed token counts at the next connection', async () => {
    const { tracker, track } = await startPlace({ chunks: 1, ...WITH_AUTH });
    const file = join(await makeFolder(), 'token');
    await writeFile(file, await sign('the secret of another house and tracker'));
    const seeder = swarmCommand('seed', track.path, '--tracker', tracker.url, '--token-file', file);
    await until('it is refused', () => seeder.stderr() !== '');
    expect(seeder.stderr()).toBe(
      `sonantica-swarm: tracker ${tracker.url} refuses (the token is not valid): still trying\n`,
    );
    await writeFile(`${file}.new`, await sign());
    await rename(`${file}.new`, file);
    await until('it is admitted', () => tracker.stats().members === 1);
    await until('it is told', () => seeder.stderr().endsWith(`tracker ${tracker.url} is up\n`));
  });
});

it.each([
  ['both a token and a file', ['--token', 'a.b.c', '--token-file', 'package.json']],
  ['an empty token', ['--token', '']],
  ['a file that is not there', ['--token-file', '/nowhere/token']],
  ['a file with more than a token', ['--token-file', 'package.json']],
])('misuse is told, with status 2: %s', async (_what, flags) => {
  const tracker = ['--tracker', 'ws://127.0.0.1:9'];
  for (const args of [
    ['get', 'noise', '--origin', 'http://127.0.0.1:9'],
    ['seed', 'examples/library'],
  ]) {
    const { status, stdout, stderr } = await swarmCommand(...args, ...tracker, ...flags).ended;
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^(error|sonantica-swarm): .+\n$/);
  }
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
