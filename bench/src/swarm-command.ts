import { InvalidArgumentError, Option, type Command } from 'commander';
import { ExpectationError, judge, parseExpectations, type Expectation } from './expectations.ts';
import type { RunRecord, Watcher } from './record.ts';
import { ChildError } from './real/child.ts';
import { Impossible } from './real/preflight.ts';
import { runReal } from './real/run.ts';
import { ScenarioError } from './scenario-choice.ts';
import { observeSimulation } from './simulate.ts';
import { addScenarioFlags, scenarioOf, type Runtime } from './swarm-flags.ts';

interface SwarmFlags extends Readonly<Record<string, unknown>> {
  readonly runtime: Runtime;
  readonly scenario?: string;
  readonly rtc: 'wrtc' | 'werift';
  readonly tracker?: URL;
  readonly origin?: URL;
  readonly track?: string;
  readonly confirmHost: readonly string[];
  readonly trackerPort: number;
  readonly originPort: number;
  readonly trace?: string;
  readonly json?: boolean;
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
    .option('--scenario <name|file>', 'a scenario by name, or a JSON file of its fields; flags count more');
  addScenarioFlags(command);
  command
    .addOption(
      new Option('--rtc <stack>', 'WebRTC implementation of `real`')
        .choices(['wrtc', 'werift'])
        .default('wrtc'),
    )
    .option('--tracker-port <n>', 'port of our tracker in `real`; 0: any', port, 0)
    .option('--origin-port <n>', 'port of our origin in `real`; 0: any', port, 0)
    .option(
      '--expect <bars>',
      'bars such as offload>=0.9,startMs.p50<=265; exit status 1 if one falls short',
      bars,
    )
    .option('--trace <peer>', 'write that peer’s log to standard error; `all` for every peer')
    .option('--json', 'print the report as JSON')
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
  const { runtime, rtc, trace, trackerPort, originPort, json } = flags;
  const scenario = scenarioOf(flags, runtime, flags.scenario);
  const watcher: Watcher = {
    ...(trace === undefined
      ? {}
      : {
          log: (atMs, peer, line) => {
            if (trace === 'all' || trace === peer)
              process.stderr.write(`${(atMs / 1000).toFixed(3)} ${peer} ${line}\n`);
          },
        }),
  };
  const record: RunRecord =
    runtime === 'sim'
      ? await observeSimulation(scenario, watcher)
      : await runReal({ scenario, rtc, trackerPort, originPort }, watcher);
  console.log(JSON.stringify(record.report, undefined, json === true ? undefined : 2));
  const judged = judge(record.report, flags.expect ?? []);
  return judged.every(({ holds }) => holds) ? 0 : 1;
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
