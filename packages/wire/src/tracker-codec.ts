import { ChunkSet } from './chunk-set.ts';
import { ProtocolError } from './errors.ts';
import { parseAulaId, parsePeerId, parseRootHash, parseTrackId, type PeerId } from './ids.ts';
import { LIMITS } from './limits.ts';
import {
  isRecord,
  nestsWithin,
  parseJson,
  readBitmapText,
  readChunks,
  readHaveText,
  readInteger,
  readList,
  readNumber,
  readText,
  textNestsWithin,
  utf8LengthUpTo,
  type JsonRecord,
} from './tracker-fields.ts';
import type {
  AnnounceRequest,
  ClaimedReply,
  ClaimRequest,
  ClientMessage,
  DeliveredBytes,
  ErrorReply,
  FindRequest,
  HaveReport,
  HelloRequest,
  IceServer,
  JoinRequest,
  ListedPeer,
  PeersReply,
  PeerTier,
  ReceivedClientMessage,
  ReceivedSignal,
  Scope,
  TrackerErrorCode,
  TrackerLimits,
  TrackerMessage,
  WelcomeReply,
} from './tracker-messages.ts';

/** Above any listener's line: 10 Gbit/s, in kbit/s. */
/** A day: intervals and round trips beyond it are rubbish. */
const MAX_DURATION_MS = 86_400_000;

/**
 * Reads what a client sent, of at most `maxBytes` in UTF-8. A signal's payload is checked and kept as text.
 * Unknown fields are ignored.
 *
 * Throws only `ProtocolError`: `too-large` without a path for the whole message, with the path `data` for a
 * signal's payload; `bad-json` for what is no message at all; `bad-type` for a message of an unknown type;
 * `bad-field` with the path of the field.
 */
export function parseClientMessage(
  text: string,
  maxBytes: number = LIMITS.maxTrackerMessageBytes,
): ReceivedClientMessage {
  const signal = parsePlainSignal(text, maxBytes);
  if (signal !== undefined) return signal;
  const message = parseRecord(text, maxBytes);
  switch (message.type) {
    case 'hello':
      return readHello(message);
    case 'join':
      return readJoin(message);
    case 'part':
      return { type: 'part' };
    case 'announce':
      return readAnnounce(message);
    case 'have':
      return readHave(message);
    case 'find':
      return readFind(message);
    case 'claim':
      return readClaim(message);
    case 'signal':
      return readSignal(message);
    case 'leave':
      return { type: 'leave', ...readTrack(message) };
    default:
      throw new ProtocolError('bad-type', 'no message a client sends', 'type');
  }
}

/**
 * Reads what a tracker sent. Unknown fields are ignored. Throws only `ProtocolError`, as
 * {@link parseClientMessage} does.
 */
export function parseTrackerMessage(text: string): TrackerMessage {
  const message = parseRecord(text);
  switch (message.type) {
    case 'welcome':
      return readWelcome(message);
    case 'peers':
      return readPeers(message);
    case 'claimed':
      return readClaimed(message);
    case 'signal': {
      const { data } = message;
      if (data === undefined) throw new ProtocolError('bad-field', 'expected JSON', 'data');
      if (!nestsWithin(data, LIMITS.maxSignalDepth)) throw tooDeep();
      return {
        type: 'signal',
        from: parsePeerId(message.from, 'from'),
        tier: readTier(message.tier, 'tier'),
        data,
      };
    }
    case 'error':
      return readError(message);
    default:
      throw new ProtocolError('bad-type', 'no message a tracker sends', 'type');
  }
}

/** A client's message as JSON text. Throws `ProtocolError('bad-field')` for a signal without payload. */
export function encodeClientMessage(message: ClientMessage): string {
  if (message.type === 'announce') {
    const { type, trackId, root, chunkCount, have, ...rest } = message;
    return JSON.stringify({ type, trackId, root, chunkCount, have: have.toText(), ...rest });
  }
  if (message.type === 'signal') {
    return `${SIGNAL_HEAD}${message.to}${SIGNAL_MIDDLE}${signalText(message.data)}}`;
  }
  return JSON.stringify(message);
}

/** A tracker's message as JSON text. Throws `ProtocolError('bad-field')` for a signal without payload. */
export function encodeTrackerMessage(message: TrackerMessage): string {
  switch (message.type) {
    case 'peers':
      return encodePeers(message);
    case 'claimed':
      return encodeClaimed(message);
    case 'signal':
      return encodeRelayedSignal(message.from, message.tier, signalText(message.data));
    default:
      return JSON.stringify(message);
  }
}

/** A signal as the tracker passes it on; `dataText` is the payload as {@link parseClientMessage} gave it. */
export function encodeRelayedSignal(from: PeerId, tier: PeerTier, dataText: string): string {
  return `{"type":"signal","from":"${from}","tier":"${tier}","data":${dataText}}`;
}

/** The `type` that a refused text claims, if it is one a client may send: for `re` in an error. */
export function clientMessageType(text: string): ClientMessage['type'] | undefined {
  try {
    const { type } = parseRecord(text);
    return CLIENT_TYPES.find((known) => known === type);
  } catch (error) {
    // What is too deep was not parsed, and is a signal where its field is what is bad.
    return error instanceof ProtocolError && error.code === 'bad-field' ? 'signal' : undefined;
  }
}

const CLIENT_TYPES = [
  'hello',
  'join',
  'part',
  'announce',
  'have',
  'find',
  'claim',
  'signal',
  'leave',
] as const satisfies readonly ClientMessage['type'][];

const SIGNAL_HEAD = '{"type":"signal","to":"';
const SIGNAL_MIDDLE = '","data":';
const PEER_ID_LENGTH = 22;
const SIGNAL_MIDDLE_AT = SIGNAL_HEAD.length + PEER_ID_LENGTH;
const SIGNAL_DATA_AT = SIGNAL_MIDDLE_AT + SIGNAL_MIDDLE.length;

/**
 * The quick way for a signal in the spelling of {@link encodeClientMessage}: since what stands between the
 * fixed head and the last brace is one JSON value by itself, the text is that object and nothing else, and
 * the payload can go on as it came. Any other spelling takes the usual way.
 */
function parsePlainSignal(text: string, maxBytes: number): ReceivedSignal | undefined {
  if (!text.startsWith(SIGNAL_HEAD) || !text.startsWith(SIGNAL_MIDDLE, SIGNAL_MIDDLE_AT)) return undefined;
  if (!text.endsWith('}') || text.length > maxBytes) return undefined;
  const dataText = text.slice(SIGNAL_DATA_AT, -1);
  if (utf8LengthUpTo(dataText, LIMITS.maxSignalBytes) > LIMITS.maxSignalBytes) return undefined;
  if (isLong(dataText) && !textNestsWithin(dataText, LIMITS.maxSignalDepth)) throw tooDeep();
  let data: unknown;
  try {
    data = JSON.parse(dataText);
  } catch {
    return undefined;
  }
  if (!nestsWithin(data, LIMITS.maxSignalDepth)) throw tooDeep();
  const to = parsePeerId(text.slice(SIGNAL_HEAD.length, SIGNAL_MIDDLE_AT), 'to');
  return { type: 'signal', to, data, dataText };
}

/** Text that can nest so deep that parsing it takes long: what honest clients say is shorter, but for bitmaps. */
function isLong(text: string): boolean {
  return text.length > 2_048;
}

const SIGNAL_TYPE = /^\s*\{\s*"type"\s*:\s*"signal"/;

function parseRecord(text: string, maxBytes: number = LIMITS.maxTrackerMessageBytes): JsonRecord {
  // Its size comes first, where it is too large too.
  if (isLong(text) && text.length <= maxBytes && !textNestsWithin(text, LIMITS.maxSignalDepth + 1))
    throw SIGNAL_TYPE.test(text) ? tooDeep() : new ProtocolError('bad-json', 'nests too deep');
  const message = parseJson(text, maxBytes);
  if (isRecord(message) && typeof message.type === 'string') return message;
  throw new ProtocolError('bad-json', 'expected an object with a type');
}

function readHello({ token }: JsonRecord): HelloRequest {
  if (token === undefined) return { type: 'hello' };
  return { type: 'hello', token: readText(token, LIMITS.maxTokenBytes, 'token') };
}

function readJoin({ aulaId, want }: JsonRecord): JoinRequest {
  return { type: 'join', aulaId: parseAulaId(aulaId), ...readWant(want) };
}

function readAnnounce(message: JsonRecord): AnnounceRequest {
  const chunkCount = readInteger(message.chunkCount, 1, LIMITS.maxChunks, 'chunkCount');
  const have = readHaveText(message.have, 'have');
  return {
    type: 'announce',
    ...readTrack(message),
    chunkCount,
    have: readChunkSet(chunkCount, have),
    ...(message.scope === undefined ? {} : { scope: readScope(message.scope) }),
    ...(message.uploadKbps === undefined
      ? {}
      : { uploadKbps: Math.round(readNumber(message.uploadKbps, 0, LIMITS.maxUploadKbps, 'uploadKbps')) }),
    ...readWant(message.want),
    ...readDelivered(message.delivered),
  };
}

function readHave(message: JsonRecord): HaveReport {
  const { chunks, lost, released } = message;
  return {
    type: 'have',
    ...readTrack(message),
    chunks: readChunks(chunks, LIMITS.maxHaveChunks, 'chunks'),
    ...(lost === undefined ? {} : { lost: readChunks(lost, LIMITS.maxHaveChunks, 'lost') }),
    ...(released === undefined ? {} : { released: readChunks(released, LIMITS.maxClaims, 'released') }),
    ...readDelivered(message.delivered),
  };
}

function readFind(message: JsonRecord): FindRequest {
  const { want, needs } = message;
  return {
    type: 'find',
    ...readTrack(message),
    ...readWant(want),
    ...(needs === undefined ? {} : { needs: readBitmapText(needs, 'needs') }),
  };
}

function readClaim(message: JsonRecord): ClaimRequest {
  const { chunks, have, most } = message;
  return {
    type: 'claim',
    ...readTrack(message),
    chunks: readChunks(chunks, LIMITS.maxClaims, 'chunks'),
    ...(have === undefined ? {} : { have: readChunks(have, LIMITS.maxHaveChunks, 'have') }),
    ...(most === undefined ? {} : { most: readInteger(most, 1, LIMITS.maxClaims, 'most') }),
  };
}

function readSignal({ to, data }: JsonRecord): ReceivedSignal {
  const receiver = parsePeerId(to, 'to');
  if (data === undefined) throw new ProtocolError('bad-field', 'expected JSON', 'data');
  if (!nestsWithin(data, LIMITS.maxSignalDepth)) throw tooDeep();
  const dataText = JSON.stringify(data);
  if (utf8LengthUpTo(dataText, LIMITS.maxSignalBytes) > LIMITS.maxSignalBytes) {
    throw new ProtocolError('too-large', `a signal has at most ${LIMITS.maxSignalBytes} bytes`, 'data');
  }
  return { type: 'signal', to: receiver, data, dataText };
}

function readWelcome(message: JsonRecord): WelcomeReply {
  const iceServers = readList(message.iceServers, LIMITS.maxIceServers, 'iceServers');
  return {
    type: 'welcome',
    peerId: parsePeerId(message.peerId),
    iceServers: iceServers.map((server, i) => readIceServer(server, `iceServers[${i}]`)),
    announceIntervalMs: readNumber(message.announceIntervalMs, 1, MAX_DURATION_MS, 'announceIntervalMs'),
    serverTimeMs: readNumber(message.serverTimeMs, 0, Number.MAX_SAFE_INTEGER, 'serverTimeMs'),
    limits: readLimits(message.limits),
    ...(message.tokenExpiresMs === undefined
      ? {}
      : { tokenExpiresMs: readNumber(message.tokenExpiresMs, 0, Number.MAX_SAFE_INTEGER, 'tokenExpiresMs') }),
  };
}

function readIceServer(value: unknown, path: string): IceServer {
  if (!isRecord(value)) throw new ProtocolError('bad-field', 'expected an object', path);
  const { urls, username, credential } = value;
  const readOne = (text: unknown, name: string) =>
    readText(text, LIMITS.maxTrackerTextLength, `${path}.${name}`);
  return {
    urls: Array.isArray(urls)
      ? readList(urls, LIMITS.maxIceServers, `${path}.urls`).map((url) => readOne(url, 'urls'))
      : readOne(urls, 'urls'),
    ...(username === undefined ? {} : { username: readOne(username, 'username') }),
    ...(credential === undefined ? {} : { credential: readOne(credential, 'credential') }),
  };
}

const LIMIT_NAMES = [
  'maxMessageBytes',
  'maxSignalBytes',
  'maxWantedPeers',
  'maxClaims',
  'maxHaveChunks',
  'maxTracks',
  'announcesPerMinutePerTrack',
  'signalsPerMinute',
  'claimsPerMinute',
  'othersPerMinute',
  'freshTargetsPerMinute',
] as const satisfies readonly (keyof TrackerLimits)[];

function readLimits(value: unknown): Partial<TrackerLimits> {
  if (!isRecord(value)) throw new ProtocolError('bad-field', 'expected an object', 'limits');
  const limits: { -readonly [Name in keyof TrackerLimits]?: number } = {};
  for (const name of LIMIT_NAMES) {
    if (value[name] === undefined) continue;
    limits[name] = readNumber(value[name], 0, Number.MAX_SAFE_INTEGER, `limits.${name}`);
  }
  return limits;
}

function readPeers(message: JsonRecord): PeersReply {
  const { trackId, root, aulaId } = message;
  return {
    type: 'peers',
    ...(trackId === undefined ? {} : { trackId: parseTrackId(trackId) }),
    ...(root === undefined ? {} : { root: parseRootHash(root) }),
    ...(aulaId === undefined ? {} : { aulaId: parseAulaId(aulaId) }),
    peers: readList(message.peers, LIMITS.maxWantedPeers, 'peers').map((peer, i) =>
      readListedPeer(peer, `peers[${i}]`),
    ),
    complete: readInteger(message.complete, 0, Number.MAX_SAFE_INTEGER, 'complete'),
    incomplete: readInteger(message.incomplete, 0, Number.MAX_SAFE_INTEGER, 'incomplete'),
  };
}

function readListedPeer(value: unknown, path: string): ListedPeer {
  if (!isRecord(value)) throw new ProtocolError('bad-field', 'expected an object', path);
  const { uploadKbps, rttMs } = value;
  return {
    peerId: parsePeerId(value.peerId, `${path}.peerId`),
    tier: readTier(value.tier, `${path}.tier`),
    have: readHaveText(value.have, `${path}.have`),
    uploadKbps:
      uploadKbps === undefined || uploadKbps === null
        ? null
        : readNumber(uploadKbps, 0, LIMITS.maxUploadKbps, `${path}.uploadKbps`),
    rttMs:
      rttMs === undefined || rttMs === null ? null : readNumber(rttMs, 0, MAX_DURATION_MS, `${path}.rttMs`),
  };
}

function readClaimed(message: JsonRecord): ClaimedReply {
  const { granted, heldBy, ttlMs } = message;
  if (!isRecord(heldBy)) throw new ProtocolError('bad-field', 'expected an object', 'heldBy');
  const holders = new Map<number, PeerId>();
  const chunks = Object.keys(heldBy);
  readList(chunks, LIMITS.maxClaims, 'heldBy');
  for (const chunk of chunks) {
    const path = `heldBy.${chunk.slice(0, 16)}`;
    const index = /^\d{1,5}$/.test(chunk) ? Number(chunk) : -1;
    holders.set(readInteger(index, 0, LIMITS.maxChunks - 1, path), parsePeerId(heldBy[chunk], path));
  }
  return {
    type: 'claimed',
    ...readTrack(message),
    granted: readChunks(granted, LIMITS.maxClaims, 'granted'),
    heldBy: holders,
    ttlMs: readNumber(ttlMs, 0, MAX_DURATION_MS, 'ttlMs'),
  };
}

const ERROR_CODES = [
  'unknown-type',
  'bad-message',
  'too-large',
  'too-fast',
  'too-many-tracks',
  'already-welcome',
  'not-announced',
  'not-visible',
  'forbidden',
  'busy',
] as const satisfies readonly TrackerErrorCode[];

function readError(message: JsonRecord): ErrorReply {
  const { re, to, trackId, root, retryAfterMs } = message;
  const code = readText(message.code, LIMITS.maxTrackerTextLength, 'code');
  return {
    type: 'error',
    code: ERROR_CODES.find((known) => known === code) ?? 'other',
    message: readText(message.message, LIMITS.maxTrackerTextLength, 'message'),
    ...(re === undefined ? {} : { re: readText(re, LIMITS.maxTrackerTextLength, 're') }),
    ...(to === undefined ? {} : { to: parsePeerId(to, 'to') }),
    ...(trackId === undefined ? {} : { trackId: parseTrackId(trackId) }),
    ...(root === undefined ? {} : { root: parseRootHash(root) }),
    ...(retryAfterMs === undefined
      ? {}
      : { retryAfterMs: readNumber(retryAfterMs, 0, MAX_DURATION_MS, 'retryAfterMs') }),
  };
}

function readTrack({ trackId, root }: JsonRecord) {
  return { trackId: parseTrackId(trackId), root: parseRootHash(root) };
}

function readWant(want: unknown): { want?: number } {
  return want === undefined ? {} : { want: readInteger(want, 0, LIMITS.maxWantedPeers, 'want') };
}

function readDelivered(value: unknown): { delivered?: DeliveredBytes } {
  if (value === undefined) return {};
  if (!isRecord(value)) throw new ProtocolError('bad-field', 'expected an object', 'delivered');
  const readBytes = (name: keyof DeliveredBytes) =>
    readInteger(value[name], 0, LIMITS.maxDeliveredBytes, `delivered.${name}`);
  return {
    delivered: {
      cache: readBytes('cache'),
      aula: readBytes('aula'),
      global: readBytes('global'),
      origin: readBytes('origin'),
    },
  };
}

function readScope(value: unknown): Scope {
  if (value === 'global' || value === 'aula') return value;
  throw new ProtocolError('bad-field', 'expected global or aula', 'scope');
}

function readTier(value: unknown, path: string): PeerTier {
  if (value === 'global' || value === 'aula') return value;
  throw new ProtocolError('bad-field', 'expected global or aula', path);
}

function readChunkSet(chunkCount: number, have: string): ChunkSet {
  try {
    return ChunkSet.fromText(chunkCount, have);
  } catch (error) {
    if (error instanceof ProtocolError) throw new ProtocolError('bad-field', error.message, 'have');
    throw error;
  }
}

function signalText(data: unknown): string {
  const text = JSON.stringify(data);
  if (typeof text === 'string') return text;
  throw new ProtocolError('bad-field', 'expected JSON', 'data');
}

function tooDeep(): ProtocolError {
  return new ProtocolError('bad-field', `nests at most ${LIMITS.maxSignalDepth} levels`, 'data');
}

function encodeClaimed({ trackId, root, granted, heldBy, ttlMs }: ClaimedReply): string {
  let text = `{"type":"claimed","trackId":"${trackId}","root":"${root}","granted":[${granted.join()}],"heldBy":{`;
  let separator = '';
  for (const [chunk, peerId] of heldBy) {
    text += `${separator}"${chunk}":"${peerId}"`;
    separator = ',';
  }
  return `${text}},"ttlMs":${ttlMs}}`;
}

function encodePeers({ trackId, root, aulaId, peers, complete, incomplete }: PeersReply): string {
  let text = '{"type":"peers"';
  if (trackId !== undefined) text += `,"trackId":"${trackId}"`;
  if (root !== undefined) text += `,"root":"${root}"`;
  if (aulaId !== undefined) text += `,"aulaId":"${aulaId}"`;
  text += ',"peers":[';
  let separator = '';
  for (const { peerId, tier, have, uploadKbps, rttMs } of peers) {
    text +=
      `${separator}{"peerId":"${peerId}","tier":"${tier}","have":"${have}",` +
      `"uploadKbps":${uploadKbps},"rttMs":${rttMs}}`;
    separator = ',';
  }
  return `${text}],"complete":${complete},"incomplete":${incomplete}}`;
}
