import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { runCli } from './cli.ts';

/** Runs the command; it is asked to stop as soon as it says where it listens. */
async function run(...args: string[]) {
  const text = { out: '', err: '' };
  const stop: { now?: () => void } = {};
  const stopped = new Promise<void>((resolve) => {
    stop.now = resolve;
  });
  const status = await runCli(args, {
    out: (more) => {
      text.out += more;
      if (text.out.includes('listening')) stop.now?.();
    },
    err: (more) => {
      text.err += more;
    },
    env: {},
    stopped: () => stopped,
  });
  return { status, ...text };
}

describe('sonantica-tracker', () => {
  it('says where it listens, and ends with 0 when it is asked to stop', async () => {
    const { status, out, err } = await run('--port', '0');
    expect(out).toMatch(/^Tracker listening on ws:\/\/127\.0\.0\.1:\d+\nTracker stopped\n$/);
    expect({ status, err }).toEqual({ status: 0, err: '' });
  });

  it('prints events as JSON with --json', async () => {
    const { out } = await run('--port', '0', '--json');
    const [listening, stopped] = out.trim().split('\n');
    expect(JSON.parse(listening ?? '')).toMatchObject({
      event: 'listening',
      url: expect.stringMatching(/^ws:/),
    });
    expect(JSON.parse(stopped ?? '')).toEqual({ event: 'stopped' });
  });

  it.each([
    ['--port', '65536'],
    ['--port', '-1'],
    ['--port', 'seven'],
    ['--port', '7e3'],
    ['--port'],
    ['--colour', 'blue'],
    ['serve'],
  ])('misused as %s %s ends with 2 and one line', async (...args) => {
    const { status, out, err } = await run(...args);
    expect(status).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/^error: [^\n]+\n$/);
  });

  it('ends with 1 and one line when the port is in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve);
    });
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { status, err } = await run('--port', String(port));
    expect({ status, err }).toEqual({ status: 1, err: `error: port ${port} on 127.0.0.1 is in use\n` });
    await new Promise((resolve) => other.close(resolve));
  });

  it('ends with 1 on an address of another machine', async () => {
    const { status, err } = await run('--port', '0', '--host', '203.0.113.9');
    expect({ status, err }).toEqual({ status: 1, err: 'error: 203.0.113.9 is no address of this machine\n' });
  });

  it.each(['--help', '--version'])('%s ends with 0', async (flag) => {
    const { status, out } = await run(flag);
    expect(status).toBe(0);
    expect(out).toMatch(flag === '--help' ? /--port/ : /^\d+\.\d+\.\d+\n$/);
  });
});
