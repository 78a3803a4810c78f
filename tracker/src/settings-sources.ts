import { readFileSync } from 'node:fs';
import { codeOf } from './secrets.ts';
import {
  parseSettings,
  SETTING_KEYS,
  settingFromText,
  SettingsError,
  type SettingKey,
  type TrackerSettings,
} from './settings.ts';

/** What every environment variable of the tracker begins with. */
export const ENV_PREFIX = 'SONANTICA_TRACKER_';

/** Where settings come from: a flag wins over a variable, a variable over the file. */
export interface SettingsSources {
  /** Path of a JSON file; else the one that `SONANTICA_TRACKER_CONFIG` names, if any. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Flags as they were typed, by key. */
  readonly flags: Readonly<Partial<Record<SettingKey, string>>>;
}

/** The flag of a setting: `maxMemoryMB` is `--max-memory-mb`. */
export function flagOf(key: SettingKey): string {
  return `--${words(key).join('-')}`;
}

/** The environment variable of a setting: `maxMemoryMB` is `SONANTICA_TRACKER_MAX_MEMORY_MB`. */
export function variableOf(key: SettingKey): string {
  return `${ENV_PREFIX}${words(key).join('_').toUpperCase()}`;
}

/**
 * Reads all sources into settings. Throws {@link SettingsError} naming the key and the flag, variable or file
 * that set it.
 */
export function readSettings({ file, env, flags }: SettingsSources): TrackerSettings {
  const path = file ?? nonEmpty(env[`${ENV_PREFIX}CONFIG`]);
  const values = new Map<string, unknown>();
  const sources = new Map<string, string>();
  if (path !== undefined) {
    for (const [key, value] of Object.entries(readFile(path))) {
      values.set(key, value);
      sources.set(key, path);
    }
  }
  for (const key of SETTING_KEYS) {
    const variable = variableOf(key);
    const fromEnv = nonEmpty(env[variable]);
    const fromFlag = flags[key];
    const typed = fromFlag ?? fromEnv;
    if (typed === undefined) continue;
    values.set(key, settingFromText(key, typed));
    sources.set(key, fromFlag === undefined ? variable : flagOf(key));
  }
  return parseSettings(Object.fromEntries(values), (key) => sources.get(key));
}

/** Variables that look like settings of the tracker and are none: a typing error, or another program's. */
export function unknownVariables(env: SettingsSources['env']): string[] {
  const known = new Set([`${ENV_PREFIX}CONFIG`, ...SETTING_KEYS.map(variableOf)]);
  return Object.keys(env).filter((name) => name.startsWith(ENV_PREFIX) && !known.has(name));
}

function readFile(path: string): object {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const why =
      error instanceof SyntaxError ? `is not JSON (${error.message})` : `cannot be read${codeOf(error)}`;
    throw new SettingsError('config', `${path} ${why}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new SettingsError('config', `${path} holds no JSON object`);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function words(key: SettingKey): string[] {
  return key.split(/(?<=[a-z])(?=[A-Z])/).map((word) => word.toLowerCase());
}
