import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { SCENARIO_FIELDS } from './scenario-fields.ts';
import type { Scenario } from './scenario.ts';

/** Fields of a scenario that are not what they are by default. */
export type ScenarioChoice = { readonly [Field in keyof Scenario]?: Exclude<Scenario[Field], undefined> };

/** Scenarios by name. */
export const NAMED_SCENARIOS = {
  staggered: { joinSpreadS: 60 },
  'at-once': { joinSpreadS: 0 },
  churn: { peers: 40, joinSpreadS: 60, churnPerMin: 0.5 },
  liars: { liars: 0.3 },
  'two-aulas': { aulas: 2, peers: 40 },
  'origin-dies': { joinSpreadS: 20, originDiesS: 25 },
  'tracker-dies': { trackerDiesS: 10 },
  // Spotify measured 61 % of plays to follow from the one before (Kreitz and Niemelä, 2010).
  'mixed-tracks': { tracks: 40, plays: 8, sizeMB: 5, predictable: 0.61, zipf: 1, joinSpreadS: 60 },
} as const satisfies Record<string, ScenarioChoice>;

const NO_OBJECT = 'Expected a JSON object of fields such as { "peers": 50, "sizeMB": 10 }.';
const FILE = v.pipe(
  v.custom<object>((value) => !Array.isArray(value), NO_OBJECT),
  v.strictObject(v.partial(v.object(SCENARIO_FIELDS)).entries, (issue) =>
    issue.expected === 'never' ? 'There is no such field.' : NO_OBJECT,
  ),
);

/** A scenario that cannot be read, in one line for people. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** A scenario by its name, or from a JSON file. Throws `ScenarioError`. */
export function readScenario(nameOrFile: string): ScenarioChoice {
  if (isNamed(nameOrFile)) return NAMED_SCENARIOS[nameOrFile];
  const names = Object.keys(NAMED_SCENARIOS).join(', ');
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(nameOrFile, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ScenarioError(`'${nameOrFile}' is neither ${names} nor a JSON file: ${why}`);
  }
  const read = v.safeParse(FILE, value);
  if (!read.success) {
    const [issue] = read.issues;
    throw new ScenarioError(
      `${nameOrFile}: ${v.getDotPath(issue) ?? ''} ${issue.message}`.replace(/ {2,}/g, ' '),
    );
  }
  return read.output as ScenarioChoice;
}

function isNamed(name: string): name is keyof typeof NAMED_SCENARIOS {
  return Object.hasOwn(NAMED_SCENARIOS, name);
}
