import { Option, type Command } from 'commander';
import { webSocketUrl, wholeNumber } from './flag-values.ts';
import type { JoinReport, TrackerBenchSettings } from './tracker-bench.ts';
import type { CrowdName, CrowdSettings } from './tracker-crowd.ts';
import { DEFAULT_TRACKER_BENCH } from './tracker-defaults.ts';
import { describeCrowd, describeJoins, type Rival } from './tracker-report.ts';

interface TrackerFlags {
  load: 'joins' | CrowdName;
  peers: number;
  holdS: number;
  swarms: number;
  offers: number;
  candidates?: boolean;
  underWay: number;
  loads: number;
  rounds: number;
  against?: ('bittorrent-tracker' | 'ws')[];
  url?: URL;
  confirmHost?: string;
  json?: boolean;
}

interface TrackerFigureFlags {
  only?: string;
  rounds: number;
  json?: boolean;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const D = DEFAULT_TRACKER_BENCH;

/** Adds `tracker` and `tracker-figures` to the bench's commands. */
export function addTrackerCommands(program: Command): void {
  const progress = (line: string) => process.stderr.write(`${line}\n`);

  program
    .command('tracker')
    .description(
      'What joining costs a tracker: connect, hello, announce, offers to other peers and their answers; or how it stands idle sockets, storms and herds. The tracker runs in a process of its own, the peers in others.',
    )
    .addOption(
      new Option(
        '--load <name>',
        'joins: one after another; idle: sockets that stay; storm: all at once; herd: all lose their sockets and come back',
      )
        .choices(['joins', 'idle', 'storm', 'herd'])
        .default('joins'),
    )
    .option('--hold-s <n>', 'seconds that idle peers stay', wholeNumber(0, 45), 10)
    .option('--peers <n>', 'peers that join', wholeNumber(1, 18_000), D.peers)
    .option('--swarms <n>', 'swarms they are spread over', wholeNumber(1, 18_000), D.swarms)
    .option('--offers <n>', 'offers a peer sends, each answered', wholeNumber(0, 20), D.offers)
    .option('--candidates', 'with one coalesced candidate signal each way for every offer')
    .option('--under-way <n>', 'joins at a time', wholeNumber(1, 1_000), D.underWay)
    .option('--loads <n>', 'processes that the peers are in', wholeNumber(1, 2), D.loads)
    .addOption(
      new Option('--against <name...>', 'measured beside ours, alternating').choices([
        'bittorrent-tracker',
        'ws',
      ]),
    )
    .option('--rounds <n>', 'runs of each; the median is printed', wholeNumber(1, 20), 1)
    .addOption(
      new Option('--url <ws://…>', 'a tracker of ours that runs already')
        .argParser(webSocketUrl)
        .conflicts(['against', 'rounds']),
    )
    .option('--confirm-host <host>', 'the host of --url again, where it is not this machine')
    .option('--json', 'print the result as JSON')
    .action(async (flags: TrackerFlags, command: Command) => {
      const { url, confirmHost, against = [], rounds, json } = flags;
      if (url !== undefined && !LOOPBACK.test(url.hostname) && confirmHost !== url.hostname) {
        command.error(
          `error: this would load ${url.hostname}, which is not this machine. If it is yours, add --confirm-host ${url.hostname}`,
        );
      }
      const settings = settingsOf(flags);
      const { requireSockets } = await import('./requirements.ts');
      const { foundersOf, measureJoinsAt } = await import('./tracker-bench.ts');
      // A tracker of the bench's own holds all of them, and each load its part.
      const founders = flags.load === 'joins' ? foundersOf(settings) : 0;
      requireSockets(
        url === undefined ? settings.peers + founders : Math.ceil(settings.peers / settings.loads),
      );
      if (url !== undefined) await (await import('./tracker-reach.ts')).reachTracker(url.href);
      if (flags.load !== 'joins') {
        if (against.length > 0) command.error('error: --against is for --load joins');
        return crowd(flags.load, flags);
      }
      if (url !== undefined) {
        return print({ report: await measureJoinsAt(url.href, settings), rivals: [] }, settings, json);
      }
      const { alternate, middleOf, pairedRatio } = await import('./tracker-figures.ts');
      const { installRival } = await import('./tracker-rival.ts');
      const rival = against.includes('bittorrent-tracker') ? await installRival(progress) : undefined;
      const subjects = (['sonantica', ...new Set(against)] as const).map((name) => ({ name, settings }));
      const [ours = [], ...others] = await alternate(subjects, rounds, rival);
      const rivals = others.map((reports, i) => ({
        name: subjects[i + 1]?.name ?? '',
        report: middleOf(reports),
        ratio: pairedRatio(ours, reports),
      }));
      print({ report: middleOf(ours), rivals }, settings, json);
    });

  program
    .command('tracker-figures')
    .description(
      'Every bar of the tracker: what was reached, pass or fail. Exit status 1 if one falls short.',
    )
    .option('--only <text>', 'rows whose name contains this')
    .option(
      '--rounds <n>',
      'alternating runs of each side of a comparison; medians count',
      wholeNumber(1, 20),
      3,
    )
    .option('--json', 'print JSON')
    .action(async ({ only, rounds, json }: TrackerFigureFlags) => {
      const { trackerFigures } = await import('./tracker-figures.ts');
      const figures = await trackerFigures({ only, rounds, progress });
      if (json === true) console.log(JSON.stringify(figures, undefined, 2));
      else {
        for (const { row, bar, figure, passed } of figures) {
          const mark = passed === undefined ? '    ' : passed ? 'pass' : 'FAIL';
          console.log(`${mark}  ${row}\n      ${bar}: ${figure}`);
        }
      }
      process.exitCode = figures.every(({ passed }) => passed !== false) ? 0 : 1;
    });
}

async function crowd(
  load: CrowdName,
  { url, peers, swarms, loads, holdS, json }: TrackerFlags,
): Promise<void> {
  const settings: CrowdSettings = { load, peers, swarms, loads, holdS };
  const { measureCrowd, measureCrowdAt } = await import('./tracker-crowd.ts');
  const report = await (url === undefined ? measureCrowd(settings) : measureCrowdAt(url.href, settings));
  console.log(json === true ? JSON.stringify(report) : describeCrowd(report, settings));
  process.exitCode = report.up > 0 ? 0 : 1;
}

function print(
  { report, rivals }: { report: JoinReport; rivals: readonly Rival[] },
  settings: TrackerBenchSettings,
  json: boolean | undefined,
): void {
  if (json !== true) {
    console.log(describeJoins(settings, report, rivals));
    return;
  }
  const against = Object.fromEntries(rivals.map((rival) => [rival.name, rival.report]));
  const ratios = Object.fromEntries(rivals.map(({ name, ratio }) => [name, ratio]));
  console.log(JSON.stringify(rivals.length === 0 ? report : { ...report, against, ratios }));
}

function settingsOf({
  peers,
  swarms,
  offers,
  candidates,
  underWay,
  loads,
}: TrackerFlags): TrackerBenchSettings {
  return { peers, swarms, offers, candidates: candidates === true, underWay, loads };
}
