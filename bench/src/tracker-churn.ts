import { ChunkSet, encodeClientMessage, parseAulaId, parseRootHash, parseTrackId } from '@sonantica/wire';
import { announcementOf as bittorrentAnnouncement } from './tracker-dialect-bittorrent.ts';
import { CHUNKS, sonanticaDialect } from './tracker-dialect-sonantica.ts';
import type { Load } from './tracker-load.ts';
import type { SubjectName } from './tracker-messages.ts';

const NONE = ChunkSet.none(CHUNKS);
const PART = ChunkSet.of(CHUNKS, [0, 7, 40]);
/** Peers that do this at a time. */
const AT_A_TIME = 8;

/**
 * Peers announce swarms that nobody else is in, then leave them all and stay connected. Answers how many swarms
 * were announced and left. Half of them with a bitmap.
 */
export async function churn(
  load: Load,
  settings: { subject: SubjectName; url: string; peers: number; swarmsEach: number },
): Promise<number> {
  const { subject, url, peers, swarmsEach } = settings;
  let next = 0;
  const lane = async () => {
    while (next < peers) {
      const peer = next++;
      if (subject === 'sonantica') await churnOurs(load, url, peer, swarmsEach);
      else await churnRivals(load, url, peer, swarmsEach);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  return peers * swarmsEach;
}

function churnOurs(load: Load, url: string, peer: number, swarms: number): Promise<void> {
  const tracks = Array.from({ length: swarms }, (_, i) => ({
    trackId: parseTrackId(`track-${peer}-${i}`),
    root: parseRootHash(((peer * swarms + i) % 0xffff_ffff).toString(16).padStart(64, '0')),
  }));
  return new Promise((resolve, reject) => {
    let answers = 0;
    load.open(url, sonanticaDialect.protocol, (say) => ({
      opened: () => say(encodeClientMessage({ type: 'hello' })),
      heard: (text) => {
        if (text.startsWith('{"type":"welcome"')) {
          tracks.forEach((track, i) =>
            say(
              encodeClientMessage({
                type: 'announce',
                ...track,
                chunkCount: CHUNKS,
                have: i % 2 === 0 ? NONE : PART,
              }),
            ),
          );
        } else if (text.startsWith('{"type":"peers"')) {
          if (++answers < swarms) return;
          if (answers > swarms) return resolve();
          for (const track of tracks) say(encodeClientMessage({ type: 'leave', ...track }));
          // An answer to this comes after all of them were followed.
          say(encodeClientMessage({ type: 'join', aulaId: parseAulaId(`room-${peer}`) }));
          say(encodeClientMessage({ type: 'part' }));
        } else if (text.startsWith('{"type":"error"')) reject(new Error(`our tracker refused: ${text}`));
      },
    }));
  });
}

function churnRivals(load: Load, url: string, peer: number, swarms: number): Promise<void> {
  const peerId = `-WW0001-${peer}`.padEnd(20, '.');
  return new Promise((resolve, reject) => {
    let answers = 0;
    const tell = (say: (text: string) => void, event: string) => {
      for (let i = 0; i < swarms; i++) {
        const infoHash = `${peer}-${i}`.padEnd(20, '.');
        say(JSON.stringify({ ...bittorrentAnnouncement(infoHash, peerId, 1), event }));
      }
    };
    load.open(url, undefined, (say) => ({
      opened: () => tell(say, 'started'),
      heard: (text) => {
        if (text.includes('failure reason')) return reject(new Error(`the rival refused: ${text}`));
        answers++;
        if (answers === swarms) tell(say, 'stopped');
        if (answers === 2 * swarms) resolve();
      },
    }));
  });
}
