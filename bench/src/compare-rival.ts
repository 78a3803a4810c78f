import { installRivals } from './rival-install.ts';

/** The releases that are compared with. */
export const WEBTORRENT = { webtorrent: '3.0.21', 'bittorrent-tracker': '11.2.3' } as const;

/** WebTorrent as it was installed: URLs of modules, and of what a page loads. */
export interface WebTorrentInstall {
  /** Exports `WebTorrent` and `MemoryChunkStore`; wants `globalThis.WRTC` to be set. */
  readonly client: string;
  /** Exports `Server`, of bittorrent-tracker. */
  readonly tracker: string;
  /** The bundle for browsers. */
  readonly bundle: string;
}

/**
 * Installs WebTorrent where rivals are installed, unless it is there. Two of its dependencies are held: `uint8-util`,
 * a release of which has broken fresh installations, and `webrtc-polyfill`, whose native part is downloaded by an
 * install script: in its place stands whatever `globalThis.WRTC` is, so that both sides of
 * the comparison use one WebRTC. Throws `Misuse` when npm cannot.
 */
export async function installWebTorrent(progress: (line: string) => void): Promise<WebTorrentInstall> {
  const urlOf = await installRivals(
    {
      name: 'webtorrent',
      dependencies: WEBTORRENT,
      overrides: { 'uint8-util': '2.2.5', 'webrtc-polyfill': 'file:./webrtc-given' },
      files: {
        'webrtc-given/package.json': JSON.stringify({
          name: 'webrtc-polyfill',
          version: '1.2.2',
          type: 'module',
          exports: './index.js',
        }),
        'webrtc-given/index.js':
          'export const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = globalThis.WRTC;\n',
        'client.mjs':
          "export { default as WebTorrent } from 'webtorrent';\nexport { default as MemoryChunkStore } from 'memory-chunk-store';\n",
        'server.mjs': "export { default as Server } from 'bittorrent-tracker/server';\n",
      },
    },
    progress,
  );
  return {
    client: urlOf('client.mjs'),
    tracker: urlOf('server.mjs'),
    bundle: urlOf('node_modules/webtorrent/dist/webtorrent.min.js'),
  };
}
