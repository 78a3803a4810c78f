import { LIMITS, ProtocolError } from '@sonantica/wire';
import { isRecord, readCandidate, type ReadCandidate } from './rtc-candidates.ts';
import type { RtcCandidate, RtcDescription } from './rtc-types.ts';

/** Items of one signal: more than a description and all the candidates a link may have is no signal. */
const MAX_ITEMS = 40;
/**
 * Lines of a letter, `=` and printable ASCII. What reads descriptions ends a line at `\n` alone, a `.` at U+2028 or a lone
 * `\r` too: a candidate with one of them in its line would be nobody's to judge.
 */
const LINES = /^(?:[a-z]=[ -~]*\r?\n)+$/;
/** Bytes of JSON we put into one signal, under the tracker's bound with room for the message around it. */
const SIGNAL_BYTES = LIMITS.maxSignalBytes - 2_048;

/** What a signal is made of: a description, a candidate, or a no. */
export type SignalItem =
  | {
      /** An offer, or the answer to one. Candidates never travel inside its text. */
      readonly description: RtcDescription;
      /** In an answer: the `ice-ufrag` of the offer it answers, so that a late one is told apart. */
      readonly re?: string;
    }
  | { readonly candidate: RtcCandidate }
  /** There is no place for this link, or no longer: the `ice-ufrag` of the offer that it is about. */
  | { readonly declined: string };

/** A description read from a signal, with what tells connections apart. */
export interface ReadDescription {
  readonly type: 'offer' | 'answer';
  /** Without candidates. */
  readonly sdp: string;
  /** Names this generation of ICE; new with each offer of a restart. */
  readonly ufrag: string;
  /** Names the connection: the same for all its descriptions, another for every other connection. */
  readonly connection: string;
  readonly re: string | undefined;
}

/** One signal as the connector uses it. */
export interface ReadSignal {
  readonly description: ReadDescription | undefined;
  readonly candidates: readonly ReadCandidate[];
  /** The `ice-ufrag` of the offer for which there is no place. */
  readonly declined: string | undefined;
}

/**
 * Reads what a peer sent through the tracker: one item or an array of them, candidates inside a description
 * counting as items of their own. Throws `ProtocolError('bad-field')` for anything else, `too-large` for
 * too much.
 */
export function readSignal(data: unknown): ReadSignal {
  const items: readonly unknown[] = Array.isArray(data) ? data : [data];
  if (items.length > MAX_ITEMS) throw new ProtocolError('too-large', `more than ${MAX_ITEMS} items`);
  let description: ReadDescription | undefined;
  const candidates: ReadCandidate[] = [];
  let declined: string | undefined;
  for (const item of items) {
    if (!isRecord(item)) throw new ProtocolError('bad-field', 'expected a description or a candidate');
    if (item['description'] !== undefined) {
      if (description !== undefined) throw new ProtocolError('bad-field', 'more than one description');
      const read = readDescription(item['description'], item['re']);
      description = read.description;
      candidates.push(...read.candidates);
    } else if (item['candidate'] !== undefined) {
      const candidate = readCandidate(item['candidate']);
      if (candidate !== undefined) candidates.push(candidate);
    } else if (typeof item['declined'] === 'string') {
      declined = item['declined'];
    } else {
      throw new ProtocolError('bad-field', 'expected a description or a candidate');
    }
  }
  return { description, candidates, declined };
}

/** Packs items into as few signals as the tracker's bound allows, in order. */
export function packSignals(items: readonly SignalItem[]): SignalItem[][] {
  const signals: SignalItem[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const itemBytes = JSON.stringify(item).length + 1;
    if (bytes + itemBytes > SIGNAL_BYTES) {
      signals.push([]);
      bytes = 2;
    }
    signals.at(-1)?.push(item);
    bytes += itemBytes;
  }
  return signals;
}

/** The text of a description without its candidates, which travel and are judged one by one. */
export function withoutCandidates(sdp: string): string {
  return sdp.replaceAll(/^a=(?:candidate:.*|end-of-candidates)\r?\n/gm, '');
}

/**
 * The description's text with candidates in its one section: werift gives up at once when it starts
 * without any, and this is the one way to hand them over together that every implementation takes.
 */
export function withCandidates(sdp: string, candidates: readonly RtcCandidate[]): string {
  return withLastLineEnded(sdp) + candidates.map(({ candidate }) => `a=${candidate}\r\n`).join('');
}

function withLastLineEnded(sdp: string): string {
  return sdp.endsWith('\n') ? sdp : `${sdp}\r\n`;
}

/** The `ice-ufrag` of a description; empty where it has none. */
export function ufragOf(sdp: string): string {
  return /^a=ice-ufrag:([!-~]{1,256})\r?$/m.exec(sdp)?.[1] ?? '';
}

function readDescription(
  value: unknown,
  re: unknown,
): { description: ReadDescription; candidates: ReadCandidate[] } {
  if (!isRecord(value)) throw new ProtocolError('bad-field', 'expected an object', 'description');
  const { type, sdp: given } = value;
  if (type !== 'offer' && type !== 'answer') {
    throw new ProtocolError('bad-field', 'expected an offer or an answer', 'description.type');
  }
  if (typeof given !== 'string' || given.length > LIMITS.maxSignalBytes) {
    throw new ProtocolError('bad-field', 'expected the text of a description', 'description.sdp');
  }
  const sdp = withLastLineEnded(given);
  if (!LINES.test(sdp)) throw new ProtocolError('bad-field', 'expected lines of text', 'description.sdp');
  const sections = sdp.match(/^m=.*$/gm) ?? [];
  const ufrag = ufragOf(sdp);
  const origin = /^o=[!-~]{1,64} (\d{1,32}) /m.exec(sdp)?.[1];
  const fingerprint = /^a=fingerprint:([!-~]{1,32} [!-~]{1,512})\r?$/m.exec(sdp)?.[1];
  // One section for data and none for sound or pictures: whatever else a stranger offers is not set up.
  if (sections.length !== 1 || !sections[0]?.startsWith('m=application ') || ufrag === '') {
    throw new ProtocolError('bad-field', 'expected one data section', 'description.sdp');
  }
  if (origin === undefined || fingerprint === undefined) {
    throw new ProtocolError('bad-field', 'expected an origin and a fingerprint', 'description.sdp');
  }
  const candidates: ReadCandidate[] = [];
  for (const [candidate] of sdp.matchAll(/(?<=^a=)candidate:.*?(?=\r?$)/gm)) {
    const read = readCandidate({ candidate, usernameFragment: ufrag });
    if (read !== undefined) candidates.push(read);
    if (candidates.length > MAX_ITEMS) throw new ProtocolError('too-large', `more than ${MAX_ITEMS} items`);
  }
  return {
    description: {
      type,
      sdp: withoutCandidates(sdp),
      ufrag,
      connection: `${origin} ${fingerprint}`,
      re: typeof re === 'string' ? re : undefined,
    },
    candidates,
  };
}
