import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Speaker, trackerForTest } from './support/tracker-process.ts';
import { until } from './support/until.ts';

const ROOT = 'ab'.repeat(32);
const announce = (have: string, want = 20) =>
  JSON.stringify({ type: 'announce', trackId: 'song', root: ROOT, chunkCount: 20, have, want });

describe('a thousand peers of one address', () => {
  it('are at most a tenth of what an asker outside their Aula is offered', async () => {
    const tracker = await trackerForTest([
      ...['--trust-proxy', '1', '--max-connections-per-address', '0'],
      ...['--connections-per-minute-per-address', '0'],
    ]);
    const crowd = new Set<string>();
    for (let batch = 0; batch < 20; batch++) {
      const speakers = await Promise.all(
        Array.from({ length: 50 }, () => Speaker.welcomed(tracker.url, '203.0.113.9')),
      );
      for (const speaker of speakers) {
        crowd.add(speaker.id);
        speaker.raw(announce('all', 0));
      }
    }
    const honest = await Promise.all(
      Array.from({ length: 60 }, (_, i) => Speaker.welcomed(tracker.url, `198.51.100.${i}`)),
    );
    for (const speaker of honest) speaker.raw(announce('all', 0));
    await until('all are announced', async () => (await tracker.stats())['members'] === 1_060);
    const asker = await Speaker.welcomed(tracker.url, '192.0.2.1');
    for (const want of [10, 20, 50]) {
      asker.raw(announce('none', want));
      const { peers } = await asker.take('peers');
      expect(peers.length).toBeGreaterThanOrEqual(want / 2);
      const offered = peers.filter(({ peerId }) => crowd.has(peerId)).length;
      expect(offered).toBeLessThanOrEqual(peers.length / 10);
    }
  });
});

describe('sockets of one address', () => {
  it('are limited by what the nearest proxy says, whatever else X-Forwarded-For claims', async () => {
    const tracker = await trackerForTest(['--trust-proxy', '1', '--max-connections-per-address', '2']);
    await Speaker.welcomed(tracker.url, '203.0.113.9');
    await Speaker.welcomed(tracker.url, '6.6.6.6, 203.0.113.9');
    const third = new Speaker(tracker.url, { headers: { 'X-Forwarded-For': '7.7.7.7, 203.0.113.9' } });
    await third.closed;
    expect(third.refusedWith).toBe(429);
    await Speaker.welcomed(tracker.url, '203.0.113.10');
    expect(await tracker.stats()).toMatchObject({ peers: 3, refusedBy: { 'too-many-connections': 1 } });
    expect(tracker.log()).toMatchObject([
      { msg: 'refused', reason: 'too-many-connections', address: '203.0.113.9' },
    ]);
  });

  it('are one network’s, where the address is of IPv6', async () => {
    const tracker = await trackerForTest(['--trust-proxy', '1', '--max-connections-per-address', '1']);
    await Speaker.welcomed(tracker.url, '2001:db8:1:2::1');
    const second = new Speaker(tracker.url, { headers: { 'X-Forwarded-For': '2001:db8:1:2:ffff::9' } });
    await second.closed;
    expect(second.refusedWith).toBe(429);
  });

  it('are let in again when others have gone', async () => {
    const tracker = await trackerForTest(['--trust-proxy', '1', '--max-connections-per-address', '1']);
    const first = await Speaker.welcomed(tracker.url, '203.0.113.9');
    first.ws.close();
    await until('it is gone', async () => (await tracker.stats())['peers'] === 0);
    await Speaker.welcomed(tracker.url, '203.0.113.9');
  });

  it('are limited by the minute', async () => {
    const tracker = await trackerForTest(['--trust-proxy', '1', '--connections-per-minute-per-address', '3']);
    for (let i = 0; i < 3; i++) (await Speaker.welcomed(tracker.url, '203.0.113.9')).ws.terminate();
    const fourth = new Speaker(tracker.url, { headers: { 'X-Forwarded-For': '203.0.113.9' } });
    await fourth.closed;
    expect(fourth.refusedWith).toBe(429);
  });

  it('on loopback are not, and X-Forwarded-For means nothing, unless a proxy is trusted', async () => {
    const tracker = await trackerForTest(['--max-connections-per-address', '1']);
    for (let i = 0; i < 3; i++) await Speaker.welcomed(tracker.url, '203.0.113.9');
    expect(await tracker.stats()).toMatchObject({ peers: 3 });
  });

  it('are limited in all, on loopback too', async () => {
    const tracker = await trackerForTest(['--max-connections', '2']);
    for (let i = 0; i < 2; i++) await Speaker.welcomed(tracker.url);
    const third = new Speaker(tracker.url);
    await third.closed;
    expect(third.refusedWith).toBe(429);
  });
});

describe('origins', () => {
  it('not on the list are turned away, and programs without one pass', async () => {
    const tracker = await trackerForTest([
      '--origins',
      'https://music.example.org,https://radio.example.org',
    ]);
    const from = (origin: string) => new Speaker(tracker.url, { origin });
    for (const origin of ['https://evil.example', 'https://music.example.org.evil.example', 'null']) {
      const stranger = from(origin);
      await stranger.closed;
      expect(stranger.refusedWith, origin).toBe(403);
    }
    await from('https://music.example.org').opened();
    await from('https://RADIO.example.org').opened();
    await Speaker.welcomed(tracker.url);
  });
});

describe('tracks', () => {
  it('not on the list are refused', async () => {
    const tracker = await trackerForTest(['--tracks', 'song,aria']);
    const speaker = await Speaker.welcomed(tracker.url);
    speaker.raw(announce('all'));
    await speaker.take('peers');
    speaker.raw(announce('all').replace('"song"', '"other"'));
    expect(await speaker.take('error')).toMatchObject({
      code: 'forbidden',
      re: 'announce',
      trackId: 'other',
    });
  });
});

describe('connections that never become a socket', () => {
  it('are dropped when their headers do not come', async () => {
    const tracker = await trackerForTest(['--headers-timeout-ms', '500']);
    const startMs = performance.now();
    const closings = [
      '',
      'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ',
      'GET / HTTP/1.1\r\nUpgrade: websocket\r\n',
    ].map(
      (text) =>
        new Promise((resolve) => {
          const tcp = connect(tracker.port, '127.0.0.1', () => void tcp.write(text));
          onTestFinished(() => void tcp.destroy());
          tcp.resume();
          tcp.on('error', () => {});
          tcp.once('close', resolve);
        }),
    );
    await Promise.all(closings);
    expect(performance.now() - startMs).toBeLessThan(4_000);
  });

  it('beyond the bound make room, oldest first', async () => {
    const tracker = await trackerForTest(['--max-handshakes', '10', '--headers-timeout-ms', '0']);
    let closed = 0;
    for (let i = 0; i < 30; i++) {
      const tcp = connect(tracker.port, '127.0.0.1');
      onTestFinished(() => void tcp.destroy());
      tcp.on('error', () => {});
      tcp.resume().once('close', () => closed++);
      await new Promise((resolve) => tcp.once('connect', resolve));
    }
    await until('twenty are dropped', () => closed === 20);
    await Speaker.welcomed(tracker.url);
  });
});
