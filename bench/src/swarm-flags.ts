import { InvalidArgumentError, Option, type Command } from 'commander';
import * as v from 'valibot';
import { Impossible } from './real/impossible.ts';
import { readScenario, type ScenarioChoice } from './scenario-choice.ts';
import { SCENARIO_FIELDS, type ScenarioField } from './scenario-fields.ts';
import { DEFAULT_SCENARIO, POLICIES, type Scenario } from './scenario.ts';

export type Runtime = 'sim' | 'real';

/** Links of a real listener: a connection takes 16 file descriptors. */
const REAL_LINKS = 8;

/** The flags that make a scenario: each sets one field. */
const FLAGS: readonly (readonly [flag: string, field: ScenarioField, what: string])[] = [
  ['--seed <n>', 'seed', 'the same seed gives the same report of `sim`, to the byte'],
  ['--peers <n>', 'peers', 'listeners, good and bad'],
  ['--size-mb <n>', 'sizeMB', 'size of a track'],
  ['--bitrate-kbps <n>', 'bitrateKbps', 'what playing takes'],
  ['--join-spread-s <n>', 'joinSpreadS', 'listeners open the track within this time; 0: at once'],
  ['--warm-s <n>', 'warmS', 'each is in its Aula this long before'],
  ['--peer-up-kbps <n|a-b>', 'peerUpKbps', 'upload of a listener'],
  ['--peer-down-kbps <n|a-b>', 'peerDownKbps', 'download of a listener'],
  ['--origin-up-kbps <n>', 'originUpKbps', 'upload of the origin'],
  ['--rtt-ms <n|a-b>', 'rttMs', 'round trip'],
  ['--aulas <n>', 'aulas', 'listening rooms'],
  ['--links <n>', 'links', 'links a listener keeps at most'],
  [
    '--churn-per-min <share>',
    'churnPerMin',
    'share of listeners that leave in a minute, replaced by new ones',
  ],
  ['--liars <share>', 'liars', 'share of peers that claim everything and send wrong bytes'],
  ['--slow <share>', 'slow', 'share of peers that claim everything and send at 10 kbit/s'],
  ['--dead <share>', 'dead', 'share of peers that claim everything and answer no request'],
  ['--connect-success <share>', 'connectSuccess', 'share of pairs that can connect; `sim` alone'],
  [
    '--links-per-s <n>',
    'linksPerS',
    'links that come up in a second, of all listeners together; `sim` alone',
  ],
  ['--tracker-dies-s <n>', 'trackerDiesS', 'when the tracker dies'],
  ['--origin-dies-s <n>', 'originDiesS', 'when the origin dies'],
  ['--tracks <n>', 'tracks', 'tracks there are to play'],
  ['--plays <n>', 'plays', 'tracks a listener plays, one after another'],
  ['--predictable <share>', 'predictable', 'share of plays that follow from the one before'],
  ['--zipf <n>', 'zipf', 'exponent of Zipf’s law by which tracks are popular'],
];

/** Adds a flag for every field of a scenario. */
export function addScenarioFlags(command: Command): void {
  for (const [flag, field, what] of FLAGS) {
    const usual = describe(DEFAULT_SCENARIO[field]);
    command.addOption(
      new Option(flag, usual === undefined ? what : `${what} (default: ${usual})`).argParser(parserOf(field)),
    );
  }
  command.addOption(new Option('--policy <name>', 'who decides (default: swarm)').choices(POLICIES));
}

/** The scenario that is meant: flags before the named scenario or file, that before what is usual. Throws `ScenarioError`. */
export function scenarioOf(
  flags: Readonly<Record<string, unknown>>,
  runtime: Runtime,
  named: string | undefined,
): Scenario {
  const chosen: Record<string, unknown> = {};
  for (const [flag, field] of FLAGS) {
    const value = flags[new Option(flag).attributeName()];
    if (value !== undefined) chosen[field] = value;
  }
  if (flags['policy'] !== undefined) chosen['policy'] = flags['policy'];
  return {
    ...DEFAULT_SCENARIO,
    ...(runtime === 'real' ? { links: REAL_LINKS } : {}),
    ...(named === undefined ? {} : readScenario(named)),
    ...(chosen as ScenarioChoice),
  };
}

/** Flags that only one runtime heeds; beside them, what the scenario says of `sim`'s. */
const REAL_ALONE = [
  '--rtc',
  '--tracker-port',
  '--origin-port',
  '--tracker',
  '--origin',
  '--track',
  '--confirm-host',
];
const SIM_ALONE = ['connectSuccess', 'linksPerS'] as const satisfies readonly ScenarioField[];

/** Throws `Impossible` for what the runtime would not heed, given as a flag or by the scenario. */
export function checkHeeded(
  flags: Readonly<Record<string, unknown>>,
  runtime: Runtime,
  scenario: Scenario,
): void {
  const unheeded =
    runtime === 'sim'
      ? REAL_ALONE.filter((flag) => flags[new Option(flag).attributeName()] !== undefined)
      : FLAGS.filter(([, field]) => SIM_ALONE.some((alone) => alone === field))
          .filter(([, field]) => scenario[field] !== DEFAULT_SCENARIO[field])
          .map(([flag]) => flag.replace(/ .*/, ''));
  if (unheeded.length > 0)
    throw new Impossible(
      `${unheeded.join(' and ')} ${unheeded.length > 1 ? 'are' : 'is'} for --runtime ${runtime === 'sim' ? 'real' : 'sim'}.`,
    );
  const { liars, slow, dead } = scenario;
  if (liars + slow + dead > 1 + Number.EPSILON)
    throw new Impossible(
      `liars, slow and dead peers together are more than all: ${liars} + ${slow} + ${dead}.`,
    );
}

/** The flags that would run this scenario again, those that are as usual left out. */
export function flagsOf(scenario: Scenario, runtime: Runtime): string[] {
  const usual = runtime === 'real' ? { ...DEFAULT_SCENARIO, links: REAL_LINKS } : DEFAULT_SCENARIO;
  const flags = FLAGS.flatMap(([flag, field]) => {
    const value = describe(scenario[field]);
    return value === undefined || value === describe(usual[field]) ? [] : [flag.replace(/ .*/, ''), value];
  });
  return scenario.policy === 'swarm' ? flags : [...flags, '--policy', scenario.policy];
}

function parserOf(field: ScenarioField): (text: string) => unknown {
  return (text) => {
    const number = text.trim() === '' ? Number.NaN : Number(text);
    const read = v.safeParse(SCENARIO_FIELDS[field], Number.isNaN(number) ? text : number);
    if (read.success) return read.output;
    throw new InvalidArgumentError(read.issues[0].message);
  };
}

function describe(value: Scenario[ScenarioField]): string | undefined {
  if (typeof value !== 'object') return value === undefined ? undefined : String(value);
  return value.least === value.most ? String(value.least) : `${value.least}-${value.most}`;
}
