import * as v from 'valibot';
import { POLICIES, type Span } from './scenario.ts';

/** Largest number of listeners of any run. */
export const MOST_PEERS = 10_000;

/** What each field of a scenario may be, wherever it comes from: a flag or a file. */
export const SCENARIO_FIELDS = {
  seed: whole(0, 2 ** 31),
  peers: whole(1, MOST_PEERS),
  sizeMB: from(0.001, 4_294),
  bitrateKbps: from(1, 1e6),
  joinSpreadS: from(0, 1e5),
  warmS: from(0, 1e5),
  peerUpKbps: span(),
  peerDownKbps: span(),
  originUpKbps: from(1, 1e9),
  rttMs: span(),
  aulas: whole(1, MOST_PEERS),
  links: whole(1, 1_000),
  churnPerMin: from(0, 1),
  liars: from(0, 1),
  slow: from(0, 1),
  dead: from(0, 1),
  connectSuccess: from(0, 1),
  linksPerS: from(0.1, 1e6),
  trackerDiesS: from(0, 1e6),
  originDiesS: from(0, 1e6),
  policy: v.picklist(POLICIES, `Expected one of ${POLICIES.join(', ')}.`),
  tracks: whole(1, 1_000),
  plays: whole(1, 1_000),
  predictable: from(0, 1),
  zipf: from(0, 10),
} as const;

export type ScenarioField = keyof typeof SCENARIO_FIELDS;

function from(least: number, most: number) {
  const message = `Expected a number from ${least} to ${most}.`;
  return v.pipe(v.number(message), v.minValue(least, message), v.maxValue(most, message));
}

function whole(least: number, most: number) {
  const message = `Expected a whole number from ${least} to ${most}.`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}

/** A number, or two joined by a dash, from which each peer draws its own. */
function span() {
  const message = 'Expected a positive number, or two joined by a dash, such as 20-200.';
  return v.pipe(
    v.union([v.number(), v.string()], message),
    v.transform((value): Span => {
      const [least = Number.NaN, most = least, ...more] = String(value)
        .split('-')
        .map((text) => (text.trim() === '' ? Number.NaN : Number(text)));
      return more.length > 0 ? { least: Number.NaN, most } : { least, most };
    }),
    v.check(({ least, most }) => least > 0 && most >= least && most <= 1e9, message),
  );
}
