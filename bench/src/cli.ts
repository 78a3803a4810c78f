#!/usr/bin/env node
import { Command, InvalidArgumentError, Option } from 'commander';
import { addCompareCommand } from './compare-command.ts';
import { endWith } from './failure.ts';
import { addFigureCommands } from './figures-command.ts';
import { measureGoodput, type GoodputSettings } from './goodput.ts';
import { DEFAULT_SCENARIO, POLICIES, type Policy, type Scenario, type Span } from './scenario.ts';
import { brokenPromises, simulate } from './simulate.ts';
import { addTrackerCommands } from './tracker-command.ts';

interface SwarmFlags {
  runtime: string;
  seed: number;
  peers: number;
  sizeMb: number;
  bitrateKbps: number;
  joinSpreadS: number;
  warmS: number;
  peerUpKbps: Span;
  peerDownKbps: Span;
  originUpKbps: number;
  rttMs: Span;
  aulas: number;
  links?: number;
  churnPerMin: number;
  liars: number;
  slow: number;
  dead: number;
  connectSuccess: number;
  trackerDiesS?: number;
  originDiesS?: number;
  policy: Policy;
  json?: boolean;
  trace?: string;
}

const count = numberFrom(1, 10_000, true);
const positive = numberFrom(1e-6, 1e9);
const seconds = numberFrom(0, 1e6);
const share = numberFrom(0, 1);
const D = DEFAULT_SCENARIO;

const program = new Command('sonantica-bench')
  .description('Load-benches swarms of listeners.')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

program
  .command('swarm')
  .description('Listeners of one track. In `sim` the production library runs in virtual time.')
  .addOption(new Option('--runtime <name>', 'where it runs').choices(['sim']).default('sim'))
  .option(
    '--seed <n>',
    'the same seed gives the same report, to the byte',
    numberFrom(0, 2 ** 31, true),
    D.seed,
  )
  .option('--peers <n>', 'listeners, good and bad', count, D.peers)
  .option('--size-mb <n>', 'size of the track', positive, D.sizeMB)
  .option('--bitrate-kbps <n>', 'what playing takes', positive, D.bitrateKbps)
  .option(
    '--join-spread-s <n>',
    'listeners open the track within this time; 0: at once',
    seconds,
    D.joinSpreadS,
  )
  .option('--warm-s <n>', 'each is in its Aula this long before', seconds, D.warmS)
  .option('--peer-up-kbps <n|a-b>', 'upload of a listener', span, D.peerUpKbps)
  .option('--peer-down-kbps <n|a-b>', 'download of a listener', span, D.peerDownKbps)
  .option('--origin-up-kbps <n>', 'upload of the origin', positive, D.originUpKbps)
  .option('--rtt-ms <n|a-b>', 'round trip', span, D.rttMs)
  .option('--aulas <n>', 'listening rooms', count, D.aulas)
  .option('--links <n>', 'links a listener keeps at most', numberFrom(1, 1_000, true))
  .option(
    '--churn-per-min <share>',
    'share of listeners that leave in a minute, replaced by new ones',
    share,
    D.churnPerMin,
  )
  .option('--liars <share>', 'share of peers that claim everything and send wrong bytes', share, D.liars)
  .option('--slow <share>', 'share of peers that claim everything and send at 10 kbit/s', share, D.slow)
  .option('--dead <share>', 'share of peers that claim everything and answer no request', share, D.dead)
  .option('--connect-success <share>', 'share of pairs that can connect', share, D.connectSuccess)
  .option('--tracker-dies-s <n>', 'when the tracker dies', seconds)
  .option('--origin-dies-s <n>', 'when the origin dies', seconds)
  .addOption(new Option('--policy <name>', 'who decides').choices(POLICIES).default('swarm'))
  .option('--trace <peer>', 'write that peer’s log to standard error; `all` for every peer')
  .option('--json', 'print the report as JSON')
  .action(async (flags: SwarmFlags) => {
    const { trace } = flags;
    const report = await simulate(
      scenarioOf(flags),
      trace === undefined
        ? {}
        : {
            log: (atMs, peer, line) => {
              if (trace === 'all' || trace === peer)
                process.stderr.write(`${(atMs / 1000).toFixed(3)} ${peer} ${line}\n`);
            },
          },
    );
    console.log(JSON.stringify(report, undefined, flags.json === true ? undefined : 2));
  });

program
  .command('faults')
  .description(
    'Small swarms under random partitions, crashes, reordering and clock jumps. Exit status 1 if a promise breaks.',
  )
  .addOption(new Option('--runtime <name>', 'where it runs').choices(['sim']).default('sim'))
  .option('--seed <n>', 'first seed', numberFrom(0, 2 ** 31, true), 1)
  .option('--seeds <n>', 'how many', count, 100)
  .option('--json', 'print JSON')
  .action(async ({ seed, seeds, json }: { seed: number; seeds: number; json?: boolean }) => {
    const broken: string[] = [];
    for (let n = seed; n < seed + seeds; n++) {
      const scenario = { ...DEFAULT_SCENARIO, seed: n, peers: 6, sizeMB: 3, joinSpreadS: 10, aulas: 2 };
      for (const line of await brokenPromises(scenario)) broken.push(`seed ${n}: ${line}`);
    }
    if (json === true) console.log(JSON.stringify({ runtime: 'sim', seeds, broken }));
    else console.log([...broken, `${broken.length} broken promises in ${seeds} runs`].join('\n'));
    process.exitCode = broken.length === 0 ? 0 : 1;
  });

program
  .command('goodput')
  .description('What a link of the library carries beside a bare data channel, in alternating runs.')
  .addOption(new Option('--rtc <stack>', 'WebRTC implementation').choices(['wrtc', 'werift']).default('wrtc'))
  .option('--megabytes <n>', 'bytes a run', count, 64)
  .option('--runs <n>', 'pairs of runs', count, 5)
  .option('--json', 'print the result as JSON')
  .action(async ({ json, ...settings }: GoodputSettings & { json?: boolean }) => {
    const report = await measureGoodput(settings);
    const { rtc, rawMBps, goodputMBps, ratio } = report;
    console.log(
      json === true
        ? JSON.stringify(report)
        : `${rtc}: ${goodputMBps.toFixed(1)} MB/s of a raw ${rawMBps.toFixed(1)} MB/s, ratio ${ratio.toFixed(2)}`,
    );
  });

program
  .command('browser')
  .description('Playing in Chromium, beside plain HTTP. Exit status 1 if a figure falls short of its bar.')
  .option('--runs <n>', 'runs of each, alternating; medians are printed', count, 5)
  .option('--only <group>', 'seek, kept, begin, worker, goodput, tasks, memory or size')
  .option('--json', 'print JSON')
  .action(async ({ runs, only, json }: { runs: number; only?: string; json?: boolean }) => {
    const { browserFigures } = await import('./browser.ts');
    const progress = (line: string) => void process.stderr.write(`${line}\n`);
    const lines = await browserFigures({ runs, only, progress });
    if (json === true) console.log(JSON.stringify(lines, undefined, 2));
    else
      for (const { figure, value, unit, bar, passed } of lines)
        console.log(`${passed ? 'pass' : 'FAIL'}  ${figure}\n      ${bar}: ${value} ${unit}`);
    process.exitCode = lines.every(({ passed }) => passed) ? 0 : 1;
  });

addTrackerCommands(program);
addCompareCommand(program);
addFigureCommands(program);

await program.parseAsync().catch(endWith);

function scenarioOf(flags: SwarmFlags): Scenario {
  const { sizeMb: sizeMB, trackerDiesS, originDiesS, links, ...rest } = flags;
  return { ...rest, sizeMB, trackerDiesS, originDiesS, links, faults: false };
}

function numberFrom(least: number, most: number, whole = false): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most) || (whole && !Number.isInteger(value)))
      throw new InvalidArgumentError(`Expected a ${whole ? 'whole ' : ''}number from ${least} to ${most}.`);
    return value;
  };
}

function span(text: string): Span {
  const [least, most = least, ...more] = text.split('-').map(positive);
  if (least === undefined || most === undefined || more.length > 0 || most < least)
    throw new InvalidArgumentError('Expected a number, or two joined by a dash.');
  return { least, most };
}
