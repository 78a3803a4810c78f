import { patienceMs, type FromPeer, type ToPeer, type Way } from './compare-messages.ts';
import { isRivals, type Meeting } from './compare-meeting.ts';
import type { WebTorrentInstall } from './compare-rival.ts';
import type { Run } from './compare-report.ts';
import { BenchChild } from './tracker-child.ts';

/** From when a seeder is there until others can know of it, in milliseconds. */
const SETTLE_MS = 500;

type Peer = BenchChild<ToPeer, FromPeer>;

/** One way, once: a seeder and a leecher, each in a process of its own, that end with this one. */
export async function runInNode(
  way: Way,
  meeting: Meeting,
  install: WebTorrentInstall | undefined,
): Promise<Run> {
  const place = meeting.placeOf(way);
  const rival = isRivals(way) ? install?.client : undefined;
  const seeder: Peer = new BenchChild('compare-peer-main');
  const leecher: Peer = new BenchChild('compare-peer-main');
  try {
    const [{ origin, torrent }] = await Promise.all([
      seeder.ask({ type: 'seed', way, place, rival }, 'seeding'),
      leecher.ask({ type: 'prepare', way, place, rival }, 'prepared'),
    ]);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const before = await seeder.ask({ type: 'cpu' }, 'cpu');
    const got = await leecher.ask(
      { type: 'get', seed: { origin, torrent } },
      'got',
      patienceMs(place.megabytes),
    );
    const after = await seeder.ask({ type: 'cpu' }, 'cpu');
    const size = place.megabytes * 1e6;
    return {
      firstByteMs: got.firstByteMs,
      doneMs: got.doneMs,
      mbPerS: (size - got.firstBytes) / 1_000 / (got.doneMs - got.firstByteMs),
      cpuSPerMB: (got.cpuS + after.cpuS - before.cpuS) / place.megabytes,
      sha256: got.sha256,
    };
  } finally {
    await Promise.all([seeder.kill(), leecher.kill()]);
  }
}
