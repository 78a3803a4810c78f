import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Where a user's programs keep what should outlast them and is of no use elsewhere: `$XDG_STATE_HOME/sonantica`, else
 * `~/.local/state/sonantica`, `~/Library/Application Support/sonantica` on macOS, `%LOCALAPPDATA%\sonantica` on Windows.
 * https://specifications.freedesktop.org/basedir-spec/latest/
 */
export function stateFolder(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  const { XDG_STATE_HOME: xdg, LOCALAPPDATA: local } = environment;
  // The specification has relative ones ignored.
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'sonantica');
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'sonantica');
  if (platform === 'win32') return join(local ?? join(home, 'AppData', 'Local'), 'sonantica');
  return join(home, '.local', 'state', 'sonantica');
}
