import { existsSync, readFileSync } from 'node:fs';
import { SettingsError, type SettingKey } from './settings.ts';

/**
 * What a setting means that is either a secret or the path of a file: the text itself, or what the file
 * holds. A text that looks like a path is one, so that a mistyped path does not become a secret that can be
 * guessed. Throws `SettingsError` when the file cannot be read or holds nothing; the message does not repeat the setting.
 */
export function readSecret(key: SettingKey, setting: string): string {
  if (!looksLikeFile(setting)) return setting;
  let secret: string;
  try {
    secret = readFileSync(setting, 'utf8').trim();
  } catch (error) {
    const isText = setting.startsWith('/') ? '; a secret that begins with / is taken for one' : '';
    throw new SettingsError(key, `the file cannot be read${codeOf(error)}${isText}`);
  }
  if (secret === '') throw new SettingsError(key, 'the file is empty');
  return secret;
}

/** What the system says of a file that cannot be read, for the end of a message: ` (ENOENT)`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
}

function looksLikeFile(setting: string): boolean {
  return (
    /^(~|\.{0,2})\//.test(setting) ||
    /\.(pem|crt|key|jwk|jwks|json|txt|secret)$/.test(setting) ||
    existsSync(setting)
  );
}
