/** One bar that a report is held against. */
export interface Expectation {
  /** As it was written. */
  readonly text: string;
  readonly path: readonly string[];
  readonly operator: Operator;
  readonly value: number;
}

/** How a report stood against one bar. */
export interface Judged extends Expectation {
  readonly figure: number;
  readonly holds: boolean;
}

/** Expectations that cannot be understood, in one line for people. */
export class ExpectationError extends Error {
  override readonly name = 'ExpectationError';
}

const OPERATORS = {
  '>=': (figure: number, value: number) => figure >= value,
  '<=': (figure: number, value: number) => figure <= value,
  '>': (figure: number, value: number) => figure > value,
  '<': (figure: number, value: number) => figure < value,
  '=': (figure: number, value: number) => figure === value,
} as const;

type Operator = keyof typeof OPERATORS;

/** Reads `offload>=0.9,startMs.p50<=265`. Whether a report has such a figure is for {@link judge} to say. Throws `ExpectationError`. */
export function parseExpectations(text: string): Expectation[] {
  return text.split(',').map((part) => {
    const [, path = '', operator = '', number = ''] =
      /^\s*([A-Za-z0-9.]+)\s*(>=|<=|>|<|=)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*$/.exec(part) ?? [];
    if (!isOperator(operator))
      throw new ExpectationError(`'${part.trim()}' is no expectation such as offload>=0.9.`);
    return { text: part.trim(), path: path.split('.'), operator, value: Number(number) };
  });
}

/** Every figure of a report by its path: `offload`, `startMs.p50`. */
export function figuresOf(report: object, under = ''): [string, number][] {
  return Object.entries(report).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value === 'number') return [[`${under}${name}`, value] as [string, number]];
    return typeof value === 'object' && value !== null ? figuresOf(value, `${under}${name}.`) : [];
  });
}

/** Holds a report against its bars. Throws `ExpectationError` for a figure that it does not have. */
export function judge(report: object, expectations: readonly Expectation[]): Judged[] {
  const figures = new Map(figuresOf(report));
  return expectations.map((each) => {
    const figure = figures.get(each.path.join('.'));
    if (figure === undefined)
      throw new ExpectationError(
        `A report has no figure ${each.path.join('.')}; it has ${[...figures.keys()].join(', ')}.`,
      );
    return { ...each, figure, holds: OPERATORS[each.operator](figure, each.value) };
  });
}

function isOperator(text: string): text is Operator {
  return Object.hasOwn(OPERATORS, text);
}
