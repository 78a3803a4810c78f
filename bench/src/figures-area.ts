import type { FigureRow } from './figure-row.ts';

/** A script of the project, its path from the root, or `bench` for the bench's own command line; and its flags. */
export interface Run {
  readonly script: string;
  readonly args: readonly string[];
}

/** Commands, and what their output is held against. */
export interface Measurement {
  /** What is measured; rows may say more. `--only` looks here. */
  readonly name: string;
  /** Usually one; further ones stand beside the first for comparison. */
  readonly runs: readonly Run[];
  /** Part of the quick subset. */
  readonly quick?: boolean;
  /** The rows, from what each run printed as JSON. `command` is how to see them again. */
  readonly rows: (printed: readonly unknown[], command: string) => readonly FigureRow[];
}

/** A command line as people type it. */
export function commandOf({ script, args }: Run): string {
  const command = script === 'bench' ? 'sonantica-bench' : `node ${script}`;
  return [command, ...args.map((arg) => (/^[\w./:=-]+$/.test(arg) ? arg : JSON.stringify(arg)))].join(' ');
}

/** One number of what a command prints, and its bar. */
export interface Expectation {
  readonly what: string;
  readonly of: (first: Numbers, second: Numbers) => number;
  readonly most?: number;
  readonly least?: number;
}

/** A report as it was parsed: a name with dots leads to a number in it. A missing one is `NaN`, which passes nothing. */
export class Numbers {
  readonly #root: unknown;

  constructor(root: unknown) {
    this.#root = root;
  }

  at(path: string): number {
    let value = this.#root;
    for (const name of path.split('.')) value = isRecord(value) ? value[name] : undefined;
    return typeof value === 'number' ? value : Number.NaN;
  }
}

/** Rows of runs that print one JSON object each: a row for each expectation. */
export function expecting(row: string, expectations: readonly Expectation[]): Measurement['rows'] {
  return (printed, command) => {
    const [first, second] = [new Numbers(printed[0]), new Numbers(printed[1])];
    return expectations.map((expectation) =>
      heldAgainst(row, expectation, expectation.of(first, second), command),
    );
  };
}

/** A number beside its bar. */
export function heldAgainst(
  row: string,
  { what, most, least }: Pick<Expectation, 'what' | 'most' | 'least'>,
  value: number,
  command: string,
): FigureRow {
  const bar = most === undefined ? `${what} ≥ ${least}` : `${what} ≤ ${most}`;
  if (Number.isNaN(value)) return { row, bar, figure: 'not measured', passed: false, command };
  const passed = value <= (most ?? Infinity) && value >= (least ?? -Infinity);
  return { row, bar, figure: Number(value.toPrecision(4)), passed, command };
}

/** Rows that a command prints as JSON with their bars in them; those without a command get `command`. */
export function rowsIn(printed: unknown, command: string): FigureRow[] {
  if (!Array.isArray(printed)) return [];
  return printed.filter(isRecord).flatMap((each): FigureRow[] => {
    const { row, bar, figure, passed } = each;
    if (typeof row !== 'string' || typeof bar !== 'string') return [];
    if (typeof figure !== 'string' && typeof figure !== 'number') return [];
    return [{ row, bar, figure, passed: typeof passed === 'boolean' ? passed : undefined, command }];
  });
}

/** Whether a parsed value has named fields. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
