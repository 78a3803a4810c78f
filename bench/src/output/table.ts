import Table from 'cli-table3';
import { bold, dim, green, red } from 'yoctocolors';
import type { Judged } from '../expectations.ts';
import type { RunRecord } from '../record.ts';
import { describeScenario, summaryOf } from './words.ts';

const NO_FRAME = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** A run as a table for people. */
export function tableOf(record: RunRecord): string {
  const { scenario, isStopped, events } = record;
  const table = new Table({
    chars: NO_FRAME,
    colAligns: ['left', 'right', 'left'],
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  for (const { what, figure, beside } of summaryOf(record))
    table.push([what, bold(figure), beside === '' ? '' : dim(beside)]);
  const troubles = events.flatMap(({ what, who }) => (what === 'trouble' ? [who] : []));
  return [
    `${describeScenario(scenario)}${isStopped ? ` ${bold('— stopped before the end')}` : ''}`,
    '',
    table.toString().replaceAll(/ +$/gm, ''),
    ...troubles.slice(0, 5).map((text) => dim(`! ${text}`)),
    ...(troubles.length > 5 ? [dim(`! and ${troubles.length - 5} more`)] : []),
  ].join('\n');
}

/** What became of each bar, one line each. */
export function describeBars(bars: readonly Judged[]): string {
  return bars
    .map(
      ({ text, figure, holds }) => `${holds ? green('pass') : red('FAIL')}  ${text}  ${dim(`is ${figure}`)}`,
    )
    .join('\n');
}
