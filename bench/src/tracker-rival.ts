import { installRivals } from './rival-install.ts';

/** The release that is compared with. */
export const RIVAL_VERSION = '11.2.3';

/**
 * Installs bittorrent-tracker where rivals are installed, unless it is there; answers the URL of a module that
 * exports `Server`. Throws `Misuse` when npm cannot.
 */
export async function installRival(progress: (line: string) => void): Promise<string> {
  const urlOf = await installRivals(
    {
      name: 'bittorrent-tracker',
      dependencies: { 'bittorrent-tracker': RIVAL_VERSION },
      files: { 'server.mjs': "export { default as Server } from 'bittorrent-tracker/server';\n" },
    },
    progress,
  );
  return urlOf('server.mjs');
}
