import { spawnSync } from 'node:child_process';

/** Whether the `flac` command can be run. */
export const hasFlac = () => spawnSync('flac', ['--version']).status === 0;

/**
 * Encodes a WAV file at the best compression level, and verifies it.
 * @param {string} from
 * @param {string} to
 * @param {Record<string, string>} tags
 */
export function encodeFlac(from, to, tags) {
  const tagged = Object.entries(tags).map(([name, value]) => `--tag=${name}=${value}`);
  const args = ['--silent', '--force', '--verify', '--best'];
  const { status } = spawnSync('flac', [...args, ...tagged, `--output-name=${to}`, from], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`flac could not encode ${to}`);
}
