import { figuresOf } from '../expectations.ts';
import type { RunRecord, Sample } from '../record.ts';

/** The report as a header and a row, one column a figure, so that runs can be put below each other. */
export function csvOf({ report }: Pick<RunRecord, 'report'>): string {
  const figures = figuresOf(report);
  const [names, values] = [figures.map(([name]) => name), figures.map(([, value]) => value)];
  return `runtime,${names.join(',')}\n${report.runtime},${values.join(',')}\n`;
}

const COLUMNS: readonly (readonly [string, (sample: Sample) => number])[] = [
  ['atS', ({ atMs }) => Number((atMs / 1000).toFixed(3))],
  ['opened', ({ opened }) => opened],
  ['playing', ({ playing }) => playing],
  ['stalled', ({ stalled }) => stalled],
  ['completed', ({ completed }) => completed],
  ['links', ({ links }) => links],
  ['originSentBytes', ({ originSentBytes }) => originSentBytes],
  ['originBytes', ({ bytes }) => bytes.origin],
  ['aulaBytes', ({ bytes }) => bytes.aula],
  ['globalBytes', ({ bytes }) => bytes.global],
  ['cacheBytes', ({ bytes }) => bytes.cache],
];

/** How a run went, one row a sample. */
export function samplesCsv(samples: readonly Sample[]): string {
  const rows = samples.map((sample) => COLUMNS.map(([, of]) => of(sample)).join(','));
  return `${[COLUMNS.map(([name]) => name).join(','), ...rows].join('\n')}\n`;
}
