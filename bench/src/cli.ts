#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { addCompareCommand } from './compare-command.ts';
import { endWith } from './failure.ts';
import { addFigureCommands } from './figures-command.ts';
import type { GoodputSettings } from './goodput.ts';
import { DEFAULT_SCENARIO } from './scenario.ts';
import { brokenPromises } from './simulate.ts';
import { addSwarmCommand } from './swarm-command.ts';
import { addTrackerCommands } from './tracker-command.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const count = numberFrom(1, 10_000, true);

const program = new Command('sonantica-bench')
  .description('Load-benches swarms of listeners.')
  .version(version)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

addSwarmCommand(program);

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
    const { measureGoodput } = await import('./goodput.ts');
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
  .option(
    '--runs <n>',
    'runs of each, alternating; medians are printed; of jumps and beginnings twice as many and one',
    count,
    5,
  )
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

function numberFrom(least: number, most: number, whole = false): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most) || (whole && !Number.isInteger(value)))
      throw new InvalidArgumentError(`Expected a ${whole ? 'whole ' : ''}number from ${least} to ${most}.`);
    return value;
  };
}
