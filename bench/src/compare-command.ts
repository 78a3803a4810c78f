import { Option, type Command } from 'commander';
import { WAYS, type Runtime, type Way } from './compare-messages.ts';
import { describeComparison } from './compare-report.ts';
import { allPassed, linesOf } from './figure-row.ts';
import { wholeNumber } from './flag-values.ts';

interface CompareFlags {
  in: Runtime | 'both';
  ways?: Way[];
  megabytes: number;
  runs: number;
  json?: boolean;
}

/** Adds `compare` to the bench's commands. */
export function addCompareCommand(program: Command): void {
  program
    .command('compare')
    .description(
      'The same track over HTTP alone, from a peer of ours and from a WebTorrent peer, taking turns. Exit status 1 if a bar falls short.',
    )
    .addOption(
      new Option('--in <runtime>', 'where both ends run')
        .choices(['node', 'chromium', 'both'])
        .default('both'),
    )
    .addOption(
      new Option('--ways <name...>', 'only these; bars that lack a side are left out').choices(WAYS.node),
    )
    .option('--megabytes <n>', 'size of the track', wholeNumber(1, 200), 30)
    .option('--runs <n>', 'rounds; every way takes its turn in each', wholeNumber(1, 50), 5)
    .option('--json', 'print the result as JSON')
    .action(async ({ in: where, ways, megabytes, runs, json }: CompareFlags) => {
      const runtimes: Runtime[] = where === 'both' ? ['node', 'chromium'] : [where];
      const progress = (line: string) => process.stderr.write(`${line}\n`);
      const { compare } = await import('./compare.ts');
      const reports = await compare({ runtimes, ways, megabytes, runs, progress });
      if (json === true) console.log(JSON.stringify(reports, undefined, 2));
      else
        console.log(
          reports.map((each) => `${describeComparison(each)}\n\n${linesOf(each.bars)}`).join('\n\n'),
        );
      process.exitCode = reports.every(({ bars }) => allPassed(bars)) ? 0 : 1;
    });
}
