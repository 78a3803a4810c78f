import { connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { Speaker, trackerForTest } from './support/tracker-process.ts';
import { until } from './support/until.ts';

/** The tracker's own files, and a few sockets. */
const OPEN_FILES = 60;

it('a tracker that strangers took every file descriptor of lives on, and serves when they have gone', async () => {
  const tracker = await trackerForTest();
  // Only now: as it starts it reads its own code, many files at a time.
  tracker.limitOpenFiles(OPEN_FILES);
  const strangers: Socket[] = [];
  const leave = () => strangers.forEach((socket) => socket.destroy());
  onTestFinished(leave);
  let connected = 0;
  for (let i = 0; i < 2 * OPEN_FILES; i++) {
    const socket = connect(tracker.port, '127.0.0.1', () => connected++);
    socket.on('error', () => undefined);
    strangers.push(socket);
  }
  await until('it has taken what it can', () => connected >= OPEN_FILES / 2);
  // Its memory is looked at ten times a second, which takes a file.
  const looked = performance.now() + 500;
  await until('it has looked at its memory', () => performance.now() > looked);
  leave();
  await until('it answers again', async () => (await tracker.stats().catch(() => undefined)) !== undefined);
  const speaker = new Speaker(tracker.url);
  speaker.ws.on('open', () => speaker.ws.send(JSON.stringify({ type: 'hello' })));
  await until('a listener is welcome', () => speaker.welcome !== undefined);
  expect((await tracker.stats())['peers']).toBe(1);
});
