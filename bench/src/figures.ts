import { fileURLToPath } from 'node:url';
import { lineOf } from './failure.ts';
import type { FigureRow } from './figure-row.ts';
import { commandOf, type Measurement, type Run } from './figures-area.ts';
import { MEASUREMENTS } from './figures-measured.ts';
import { simulatedFigures, simulatedNames, type SimulatedOptions } from './figures-sim.ts';
import { isNamed, requireNamed } from './only.ts';
import { BENCH, jsonOf } from './run-script.ts';

/** Which bars: those of the simulator, or all of the project. */
export type FiguresRuntime = 'sim' | 'all';

/** Every bar of the project, or those of the simulator; measured ones one after another, so that none disturbs another. Rejects with `Misuse` where `only` names none. */
export async function figures(runtime: FiguresRuntime, options: SimulatedOptions): Promise<FigureRow[]> {
  const { quick, only, progress } = options;
  const measurements = runtime === 'sim' ? [] : MEASUREMENTS.filter((each) => !quick || each.quick === true);
  requireNamed([...simulatedNames(quick), ...measurements.map(({ name }) => name)], only);
  const rows = await simulatedFigures(options);
  for (const measurement of measurements) {
    if (!isNamed(measurement.name, only)) continue;
    progress(`measuring ${measurement.name}`);
    const measured = await measure(measurement);
    for (const { row, bar, figure, passed } of measured)
      progress(`${passed === undefined ? '    ' : passed ? 'pass' : 'FAIL'}  ${row}: ${bar}: ${figure}`);
    rows.push(...measured);
  }
  return rows;
}

/** A measurement that does not end is a bar that falls short, and says why. */
export async function measure(
  { name, runs, rows }: Measurement,
  run: (what: Run) => Promise<unknown> = runScript,
): Promise<readonly FigureRow[]> {
  const command = runs.map(commandOf).join('  against  ');
  const failed = (why: string): FigureRow[] => [
    { row: name, bar: 'is measured', figure: why, passed: false, command },
  ];
  try {
    const printed: unknown[] = [];
    for (const each of runs) printed.push(await run(each));
    const held = rows(printed, command);
    return held.length === 0 ? failed('nothing was measured') : held;
  } catch (error) {
    return failed(lineOf(error));
  }
}

function runScript({ script, args }: Run): Promise<unknown> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  return jsonOf(script === 'bench' ? BENCH : `${root}${script}`, args);
}
