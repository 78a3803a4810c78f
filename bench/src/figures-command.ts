import { availableParallelism } from 'node:os';
import { Option, type Command } from 'commander';
import { allPassed, linesOf } from './figure-row.ts';
import { figures, type FiguresRuntime } from './figures.ts';
import { describeMachine, figuresPage } from './figures-page.ts';
import { wholeNumber } from './flag-values.ts';

interface FigureFlags {
  runtime: FiguresRuntime;
  quick?: boolean;
  only?: string[];
  seeds?: number;
  jobs: number;
  markdown?: boolean;
  json?: boolean;
}

/** Adds `figures` to the bench's commands. */
export function addFigureCommands(program: Command): void {
  program
    .command('figures')
    .description(
      'Every bar of the project: what was reached, pass or fail. Exit status 1 if one falls short.',
    )
    .addOption(
      new Option(
        '--runtime <name>',
        'sim: the delivery engine in virtual time; all: also real links, the tracker, Chromium, and WebTorrent beside ours',
      )
        .choices(['sim', 'all'])
        .default('sim'),
    )
    .option('--quick', 'the short rows, three seeds')
    .option('--only <text...>', 'rows whose name contains one of these')
    .option('--seeds <n>', 'medians of seeds 1 to n', wholeNumber(1, 10_000))
    .option('--jobs <n>', 'simulations at a time', wholeNumber(1, 10_000), availableParallelism())
    .option('--markdown', 'print a page')
    .option('--json', 'print JSON')
    .action(async (flags: FigureFlags) => {
      const { runtime, quick = false, only, seeds = quick ? 3 : 10, jobs, markdown, json } = flags;
      const progress = (line: string) => process.stderr.write(`${line}\n`);
      const rows = await figures(runtime, { quick, only, seeds, jobs, progress });
      if (json === true) console.log(JSON.stringify(rows, undefined, 2));
      else if (markdown === true) console.log(figuresPage(rows, describeMachine(), commandOf(flags)));
      else console.log(linesOf(rows));
      process.exitCode = allPassed(rows) ? 0 : 1;
    });
}

function commandOf({ runtime, quick, only, seeds }: FigureFlags): string {
  return [
    `npm run -s bench -- figures --runtime ${runtime}`,
    ...(quick === true ? ['--quick'] : []),
    ...(only === undefined ? [] : [`--only ${only.map((text) => JSON.stringify(text)).join(' ')}`]),
    ...(seeds === undefined ? [] : [`--seeds ${seeds}`]),
    '--markdown',
  ].join(' ');
}
