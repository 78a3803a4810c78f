import * as v from 'valibot';

const MAX_PORT = 65_535;

/** A whole number; as a limit, 0 means none. */
const count = (fallback: number, help: string, max = Number.MAX_SAFE_INTEGER, min = 0) =>
  v.optional(
    v.pipe(
      v.number('expected a whole number'),
      v.integer('expected a whole number'),
      v.minValue(min, `expected ${min} or more`),
      v.maxValue(max, `expected at most ${max}`),
      v.description(help),
    ),
    fallback,
  );

const share = (fallback: number, help: string) =>
  v.optional(
    v.pipe(
      v.number('expected a number from 0 to 1'),
      v.minValue(0, 'expected a number from 0 to 1'),
      v.maxValue(1, 'expected a number from 0 to 1'),
      v.description(help),
    ),
    fallback,
  );

const text = (fallback: string, help: string) =>
  v.optional(v.pipe(v.string('expected text'), v.description(help)), fallback);

const list = (help: string, element: v.GenericSchema<string>) =>
  v.optional(v.pipe(v.array(element, 'expected a list'), v.description(help)), []);

const matching = (pattern: RegExp, expected: string) =>
  v.pipe(v.string(`expected ${expected}`), v.regex(pattern, `expected ${expected}`));

const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug'] as const;

/**
 * Everything an operator may set: the keys of the configuration file, and by their names the flags and
 * environment variables. Every limit is here, 0 meaning none; times are in the unit the key names.
 */
export const SettingsSchema = v.strictObject({
  port: count(7_000, 'TCP port; 0 takes a free one', MAX_PORT),
  host: text('127.0.0.1', 'address to listen on; 0.0.0.0 for everyone'),
  logLevel: v.optional(
    v.pipe(
      v.picklist(LOG_LEVELS, `expected ${LOG_LEVELS.join(', ')}`),
      v.description(`least weight of what is logged: ${LOG_LEVELS.join(', ')}`),
    ),
    'info',
  ),

  auth: text(
    '',
    'asks listeners for a JWT: the HS256 secret, or the file of a secret, public key or JWK set',
  ),
  origins: list(
    'web origins admitted, as https://music.example.org; all unless told. Programs send none and pass',
    matching(
      /^[a-z][a-z0-9+.-]*:\/\/[^/\s,]+$/i,
      'an origin such as https://music.example.org, without a slash at its end',
    ),
  ),
  tracks: list(
    'track ids admitted; all unless told',
    matching(/^[A-Za-z0-9._~-]{1,128}$/, 'track ids of 1–128 characters of A–Z a–z 0–9 . _ ~ -'),
  ),
  trustProxy: count(0, 'proxies in front of the tracker whose X-Forwarded-For is believed', 16),

  stunUrls: list(
    'STUN servers named to listeners',
    matching(/^stuns?:[^\s,]+$/, 'a URL such as stun:host:3478'),
  ),
  turnUrls: list(
    'TURN servers named to listeners',
    matching(/^turns?:[^\s,]+$/, 'a URL such as turn:host:3478'),
  ),
  turnSecret: text('', 'the secret shared with the TURN servers (coturn: static-auth-secret), or its file'),
  turnTtlSeconds: count(86_400, 'how long a TURN credential lasts', 31_536_000, 1),

  maxConnections: count(20_000, 'sockets in all'),
  maxConnectionsPerAddress: count(256, 'sockets of one address (IPv6: one /64)'),
  connectionsPerMinutePerAddress: count(600, 'new sockets of one address'),
  requestsPerMinutePerAddress: count(300, 'HTTP requests of one address'),
  maxHandshakes: count(4_000, 'connections that have not become a WebSocket; beyond, the oldest go'),
  headersTimeoutMs: count(5_000, 'time for the headers of a request'),
  helloTimeoutMs: count(5_000, 'time for hello'),
  pingIntervalMs: count(25_000, 'time between pings; who has not answered one by the next is gone'),

  maxMessageBytes: count(65_536, 'bytes of a message'),
  controlFramesPerMinute: count(600, 'pings, unasked pongs and parts of messages by one socket'),
  maxBufferedBytes: count(1_048_576, 'bytes that may wait for a slow reader before it is dropped'),
  maxTracksPerPeer: count(1_024, 'tracks one socket may have announced'),
  announceIntervalMs: count(
    25_000,
    'how often listeners are asked to be heard: who is not for 60 s is offered to nobody',
    50_000,
    1_000,
  ),
  announcesPerMinutePerTrack: count(20, 'announcements of one track by one socket'),
  announcesPerMinute: count(3_000, 'announcements of all tracks by one socket'),
  signalsPerMinute: count(600, 'signals by one socket'),
  freshTargetsPerMinute: count(50, 'peers one socket signals that it had not signalled of late'),
  claimsPerMinute: count(1_200, 'claims by one socket'),
  othersPerMinute: count(200, 'other messages by one socket'),
  refusalsPerMinute: count(120, 'messages refused as too fast, before the socket is closed'),
  maxShareOfOneAddress: share(0.1, 'share of one address among the peers offered outside an Aula; 0 for any'),

  maxMemoryMB: count(1_024, 'memory of the process; over 80 % no new members, over 95 % no new sockets'),
  drainMs: count(5_000, 'time over which sockets are closed when the tracker stops'),
});

/** What an operator set, defaults filled in. */
export type TrackerSettings = v.InferOutput<typeof SettingsSchema>;

/** The name of a setting. */
export type SettingKey = keyof TrackerSettings;

/** The names of all settings, in the order in which they are explained. */
export const SETTING_KEYS: readonly SettingKey[] = Object.keys(SettingsSchema.entries).filter(
  (key): key is SettingKey => Object.hasOwn(SettingsSchema.entries, key),
);

/** A setting that cannot be followed. The message names the key, and where it was set if that is known. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly key: string;

  constructor(key: string, message: string, source?: string) {
    super(`${key}${source === undefined ? '' : ` (${source})`}: ${message}`);
    this.key = key;
  }
}

/**
 * Checks settings and fills in defaults. `sourceOf` says where a key was set. Throws {@link SettingsError}
 * for the first that is wrong or unknown.
 */
export function parseSettings(
  values: unknown,
  sourceOf: (key: string) => string | undefined = () => undefined,
): TrackerSettings {
  const result = v.safeParse(SettingsSchema, values);
  if (result.success) return together(result.output, sourceOf);
  const [issue] = result.issues;
  const key = String(issue.path?.[0]?.key ?? 'settings');
  const message =
    Object.hasOwn(SettingsSchema.entries, key) || issue.path === undefined
      ? issue.message
      : 'no such setting';
  throw new SettingsError(key, message, sourceOf(key));
}

/** Settings that need each other. WebRTC refuses a TURN server without credentials, and with it every connection. */
function together(settings: TrackerSettings, sourceOf: (key: string) => string | undefined): TrackerSettings {
  const { turnUrls, turnSecret } = settings;
  if (turnUrls.length > 0 && turnSecret === '')
    throw new SettingsError(
      'turnUrls',
      'needs turnSecret: nobody can use a TURN server without',
      sourceOf('turnUrls'),
    );
  if (turnUrls.length === 0 && turnSecret !== '')
    throw new SettingsError('turnSecret', 'needs turnUrls: whose secret it is', sourceOf('turnSecret'));
  return settings;
}

/** What a setting is for, in one line. */
export function describeSetting(key: SettingKey): string {
  return v.getDescription(SettingsSchema.entries[key].wrapped) ?? '';
}

/** What a setting is unless told, as text. */
export function defaultText(key: SettingKey): string {
  const { default: fallback } = SettingsSchema.entries[key];
  return Array.isArray(fallback) ? fallback.join(',') : String(fallback);
}

/** A setting as a person types it, for {@link parseSettings}: lists are parted by commas. */
export function settingFromText(key: SettingKey, typed: string): unknown {
  switch (SettingsSchema.entries[key].wrapped.type) {
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(typed) ? Number(typed) : typed;
    case 'array':
      return typed.split(',').flatMap((element) => (element.trim() === '' ? [] : [element.trim()]));
    default:
      return typed;
  }
}
