import { startTracker } from '@sonantica/tracker';
import type { Place, Way } from './compare-messages.ts';
import type { WebTorrentInstall } from './compare-rival.ts';

/** An address that nobody has (RFC 5737): what is asked of it stays unanswered, as behind a firewall. */
const OUT_OF_REACH = [{ urls: 'stun:192.0.2.1:3478' }];

/** The trackers of a comparison: ours, and bittorrent-tracker's. */
export interface Meeting {
  /** Where the ends of a way meet. */
  placeOf(way: Way): Place;
  close(): Promise<void>;
}

/** Whether a way needs WebTorrent. */
export function isRivals(way: Way): boolean {
  return way.startsWith('webtorrent');
}

/** Starts both trackers on 127.0.0.1, the other's only where it is installed. */
export async function startMeeting(
  megabytes: number,
  install: WebTorrentInstall | undefined,
): Promise<Meeting> {
  const ours = await startTracker({ port: 0, logLevel: 'silent' });
  const rival = install === undefined ? undefined : await startBittorrentTracker(install.tracker);
  return {
    placeOf: (way) => ({
      megabytes,
      tracker: isRivals(way)
        ? way === 'webtorrent-tcp'
          ? `http://127.0.0.1:${rival?.port}/announce`
          : `ws://127.0.0.1:${rival?.port}`
        : ours.url,
      iceServers: way.endsWith('-stun') ? OUT_OF_REACH : [],
    }),
    close: async () => {
      rival?.close();
      await ours.close();
    },
  };
}

/** The part of bittorrent-tracker's server that is used (its README, "server"). */
interface Server {
  readonly http: { address(): { port: number } | string | null };
  listen(port: number, hostname: string, onListening: () => void): void;
  on(event: 'error' | 'warning', listener: (error: Error) => void): void;
  close(): void;
}

async function startBittorrentTracker(module: string): Promise<{ port: number; close: () => void }> {
  const { Server }: { Server: new (options: object) => Server } = await import(module);
  const server = new Server({ udp: false, http: true, ws: true, stats: false });
  server.on('warning', () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.http.address();
  if (address === null || typeof address === 'string') throw new Error('bittorrent-tracker has no port');
  return { port: address.port, close: () => server.close() };
}
