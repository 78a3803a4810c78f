import { InvalidArgumentError, Option, type Command } from 'commander';
import { checkDeployment, type DeploymentFlags } from './deployment.ts';
import { ExpectationError, judge, parseExpectations, type Expectation } from './expectations.ts';
import { createOutput, say, type OutputFlags } from './output/output.ts';
import { describeBars } from './output/table.ts';
import type { RunRecord, Watcher } from './record.ts';
import { ChildError } from './real/child.ts';
import { Impossible } from './real/impossible.ts';
import { isReal, NOTHING_REAL } from './report.ts';
import { NAMED_SCENARIOS, ScenarioError } from './scenario-choice.ts';
import { observeSimulation } from './simulate.ts';
import { reportOf } from './summary.ts';
import { addScenarioFlags, checkHeeded, flagsOf, scenarioOf, type Runtime } from './swarm-flags.ts';
import { runAgain, youngGenerationFlag } from './young-generation.ts';

const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** The exit status of a run that was stopped: not done. */
const STOPPED = 1;

interface SwarmFlags extends DeploymentFlags, OutputFlags, Readonly<Record<string, unknown>> {
  readonly runtime: Runtime;
  readonly scenario?: string;
  readonly rtc?: 'wrtc' | 'werift';
  readonly trace?: string;
  readonly expect?: readonly Expectation[];
}

/** Adds `swarm` to the bench's commands. */
export function addSwarmCommand(program: Command): void {
  const command = program
    .command('swarm')
    .description(
      'Listeners of tracks. In `sim` the production library runs in virtual time; in `real` over WebRTC on this machine.',
    )
    .addOption(new Option('--runtime <name>', 'where it runs').choices(['sim', 'real']).default('sim'))
    .option(
      '--scenario <name|file>',
      `${Object.keys(NAMED_SCENARIOS).join(', ')}, or a JSON file of fields; flags count more`,
    );
  addScenarioFlags(command);
  command
    .addOption(
      new Option('--rtc <stack>', 'WebRTC implementation of `real` (default: wrtc)').choices([
        'wrtc',
        'werift',
      ]),
    )
    .option('--tracker-port <n>', 'port of our tracker in `real` (default: any)', port)
    .option('--origin-port <n>', 'port of our origin in `real` (default: any)', port)
    .option(
      '--tracker <url>',
      'a tracker of your own in place of ours; `real` alone',
      urlOf(/^wss?:$/, 'ws://127.0.0.1:7000'),
    )
    .option(
      '--origin <url>',
      'an origin of your own in place of ours; `real` alone',
      urlOf(/^https?:$/, 'http://127.0.0.1:7001'),
    )
    .option('--track <id>', 'the track at that origin (default: the first it lists)')
    .option(
      '--confirm-host <host...>',
      'the host of --tracker or --origin again, where it is not this machine',
    )
    .option(
      '--expect <bars>',
      'bars such as offload>=0.9,startMs.p50<=265; exit status 1 if one falls short',
      bars,
    )
    .option('--trace <peer>', 'write that peer’s log to standard error; `all` for every peer')
    .option('--json', 'print the report as JSON')
    .option('--csv', 'print the report as a header and a row')
    .option('--samples <file>', 'write how the run went as CSV, one row a moment')
    .option('--html <file>', 'write a page with charts; it needs nothing but itself')
    .action(async (flags: SwarmFlags) => {
      try {
        process.exitCode = await runSwarm(flags);
      } catch (error) {
        if (isMisuse(error)) command.error(`error: ${error.message}`, { exitCode: 2 });
        if (!(error instanceof ChildError)) throw error;
        command.error(`error: ${error.message}`, { exitCode: 1 });
      }
    });
}

async function runSwarm(flags: SwarmFlags): Promise<number> {
  const { runtime, rtc = 'wrtc', trackerPort = 0, originPort = 0, expect = [] } = flags;
  const scenario = scenarioOf(flags, runtime, flags.scenario);
  checkHeeded(flags, runtime, scenario);
  const deployment = checkDeployment(flags, runtime, scenario);
  checkFigures(runtime, expect);
  const flag = runtime === 'sim' ? youngGenerationFlag(scenario.peers) : undefined;
  if (flag !== undefined) return runAgain(flag, STOPS);
  const output = createOutput(flags, scenario);
  const stop = new AbortController();
  const stopping = () => {
    // The first asks for an end; the next does not ask.
    if (stop.signal.aborted) process.exit(STOPPED);
    stop.abort();
  };
  for (const signal of STOPS) process.on(signal, stopping);
  const trace = flags.trace === undefined ? undefined : new Trace(flags.trace);
  const log = trace && { log: trace.log };
  const watcher: Watcher = { ...output.watcher, ...log, stop: stop.signal };
  let record: RunRecord;
  try {
    record =
      runtime === 'sim'
        ? await observeSimulation(scenario, watcher)
        : await (
            await import('./real/run.ts')
          ).runReal({ scenario, rtc, trackerPort, originPort, ...deployment }, watcher);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.stderr.write('stopped before anything was measured\n');
    return STOPPED;
  } finally {
    output.end();
    for (const signal of STOPS) process.off(signal, stopping);
  }
  const command = ['sonantica-bench swarm', '--runtime', runtime, ...flagsOf(scenario, runtime)].join(' ');
  output.write(record, command);
  trace?.end();
  const bars = judge(record.report, expect);
  if (bars.length > 0) say(process.stderr, describeBars(bars));
  if (record.isStopped) return STOPPED;
  const isProven = !isReal(record.report) || record.report.sha256.files === record.report.sha256.right;
  return isProven && bars.every(({ holds }) => holds) ? 0 : 1;
}

/** A misspelt figure is found before the run, not after it. */
function checkFigures(runtime: Runtime, expect: readonly Expectation[]): void {
  const empty = reportOf({ runtime, seed: 0, peers: 0, listeners: [], originSentBytes: 0, playedBytes: 0 });
  judge(runtime === 'sim' ? empty : { ...empty, ...NOTHING_REAL }, expect);
}

/** Writes a peer's log to standard error. */
class Trace {
  readonly #wanted: string;
  readonly #heard = new Set<string>();
  #isWritten = false;

  /** `all` for everybody's. */
  constructor(wanted: string) {
    this.#wanted = wanted;
  }

  readonly log = (atMs: number, peer: string, line: string): void => {
    this.#heard.add(peer);
    if (this.#wanted !== 'all' && this.#wanted !== peer) return;
    this.#isWritten = true;
    process.stderr.write(`${(atMs / 1000).toFixed(3)} ${peer} ${line}\n`);
  };

  /** Says so where there was nobody of that name. */
  end(): void {
    if (this.#isWritten) return;
    const names = [...this.#heard].slice(0, 3).join(', ');
    process.stderr.write(
      `nobody called “${this.#wanted}” said anything; there are ${names || 'none who did'} …\n`,
    );
  }
}

function isMisuse(error: unknown): error is Error {
  return error instanceof Impossible || error instanceof ScenarioError || error instanceof ExpectationError;
}

function bars(text: string): Expectation[] {
  try {
    return parseExpectations(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

function port(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError('Expected a port from 0 to 65535.');
  return value;
}

function urlOf(protocol: RegExp, example: string): (text: string) => URL {
  return (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !protocol.test(url.protocol))
      throw new InvalidArgumentError(`Expected a URL such as ${example}.`);
    return url;
  };
}
