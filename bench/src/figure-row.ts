/** One bar of the project, what was reached, and how to see it again. */
export interface FigureRow {
  readonly row: string;
  /** What has to be reached, in words. */
  readonly bar: string;
  readonly figure: number | string;
  /** `undefined` where nothing has to be reached. */
  readonly passed: boolean | undefined;
  readonly command: string;
}

/** Whether no bar falls short. */
export function allPassed(rows: readonly FigureRow[]): boolean {
  return rows.every(({ passed }) => passed !== false);
}

/** Rows for people on a terminal. */
export function linesOf(rows: readonly FigureRow[]): string {
  return rows
    .map(({ row, bar, figure, passed, command }) => {
      const mark = passed === undefined ? '    ' : passed ? 'pass' : 'FAIL';
      return `${mark}  ${row}\n      ${bar}: ${figure}\n      ${command}`;
    })
    .join('\n');
}

/** Rows as a table in Markdown. */
export function markdownOf(rows: readonly FigureRow[]): string {
  const lines = rows.map(({ row, bar, figure, passed, command }) => {
    const mark = passed === undefined ? '' : passed ? 'pass' : '**fail**';
    return `| ${[row, bar, figure, mark, `\`${command}\``].map(cell).join(' | ')} |`;
  });
  return ['| what | bar | figure | | command |', '|---|---|---|---|---|', ...lines].join('\n');
}

function cell(text: string | number): string {
  return String(text).replaceAll('|', '\\|');
}
