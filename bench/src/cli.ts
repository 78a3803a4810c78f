#!/usr/bin/env node
import { Command, InvalidArgumentError, Option } from 'commander';
import { availableParallelism } from 'node:os';
import { figures, markdownOf } from './figures.ts';
import { measureGoodput, type GoodputSettings } from './goodput.ts';
import { DEFAULT_SCENARIO } from './scenario.ts';
import { brokenPromises } from './simulate.ts';
import { addSwarmCommand } from './swarm-command.ts';
import { addTrackerCommands } from './tracker-command.ts';

interface FigureFlags {
  quick?: boolean;
  only?: string;
  seeds?: number;
  jobs: number;
  markdown?: boolean;
  json?: boolean;
}

const count = numberFrom(1, 10_000, true);

const program = new Command('sonantica-bench')
  .description('Load-benches swarms of listeners.')
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
    const report = await measureGoodput(settings);
    const { rtc, rawMBps, goodputMBps, ratio } = report;
    console.log(
      json === true
        ? JSON.stringify(report)
        : `${rtc}: ${goodputMBps.toFixed(1)} MB/s of a raw ${rawMBps.toFixed(1)} MB/s, ratio ${ratio.toFixed(2)}`,
    );
  });

program
  .command('figures')
  .description(
    'Every bar of the delivery engine: what was reached, pass or fail. Exit status 1 if one falls short.',
  )
  .addOption(new Option('--runtime <name>', 'where it runs').choices(['sim']).default('sim'))
  .option('--quick', 'the short rows, three seeds')
  .option('--only <text>', 'rows whose name contains this')
  .option('--seeds <n>', 'medians of seeds 1 to n', count)
  .option('--jobs <n>', 'runs at a time', count, availableParallelism())
  .option('--markdown', 'print a table')
  .option('--json', 'print JSON')
  .action(async (flags: FigureFlags) => {
    const { quick = false, only, seeds = quick ? 3 : 10, jobs, markdown, json } = flags;
    const progress = (line: string) => process.stderr.write(`${line}\n`);
    const lines = await figures({ quick, only, seeds, jobs, progress });
    if (json === true) console.log(JSON.stringify(lines, undefined, 2));
    else if (markdown === true) console.log(markdownOf(lines));
    else
      for (const { row, bar, figure, passed, command } of lines)
        console.log(`${passed ? 'pass' : 'FAIL'}  ${row}\n      ${bar}: ${figure}\n      ${command}`);
    process.exitCode = lines.every(({ passed }) => passed) ? 0 : 1;
  });

program
  .command('browser')
  .description('Playing in Chromium, beside plain HTTP. Exit status 1 if a figure falls short of its bar.')
  .option('--runs <n>', 'runs of each, alternating; medians are printed', count, 5)
  .option('--json', 'print JSON')
  .action(async ({ runs, json }: { runs: number; json?: boolean }) => {
    const { browserFigures } = await import('./browser.ts');
    const lines = await browserFigures(runs, (line) => process.stderr.write(`${line}\n`));
    if (json === true) console.log(JSON.stringify(lines, undefined, 2));
    else
      for (const { figure, value, unit, bar, passed } of lines)
        console.log(`${passed ? 'pass' : 'FAIL'}  ${figure}\n      ${bar}: ${value} ${unit}`);
    process.exitCode = lines.every(({ passed }) => passed) ? 0 : 1;
  });

addTrackerCommands(program);

await program.parseAsync();

function numberFrom(least: number, most: number, whole = false): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most) || (whole && !Number.isInteger(value)))
      throw new InvalidArgumentError(`Expected a ${whole ? 'whole ' : ''}number from ${least} to ${most}.`);
    return value;
  };
}
