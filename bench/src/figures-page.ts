import { arch, availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { markdownOf, type FigureRow } from './figure-row.ts';

/** Rows as a page: how many bars are reached, which are not, where it was measured, and all of them. */
export function figuresPage(rows: readonly FigureRow[], machine: string, command: string): string {
  const held = rows.filter(({ passed }) => passed !== undefined);
  const short = held.filter(({ passed }) => passed === false);
  const headline =
    short.length === 0
      ? `Every bar is reached: ${held.length} of ${held.length}.`
      : `${held.length - short.length} of ${held.length} bars are reached; ${short.length} ${short.length === 1 ? 'falls' : 'fall'} short.`;
  return [
    '# Figures',
    '',
    `**${headline}**`,
    '',
    `Written by \`${command}\`, on one machine: ${machine}. A row says what has to be reached, what was, and the command that measures it again.`,
    '',
    ...(short.length === 0
      ? []
      : [
          '## What falls short',
          '',
          ...short.map(({ row, bar, figure }) => `- ${row}: ${bar}; it is ${figure}.`),
          '',
        ]),
    ...(rows.length === held.length
      ? ['## Every bar', '']
      : ['## Every bar', '', 'Rows without a verdict have no bar; they are there to be known.', '']),
    markdownOf(rows),
  ].join('\n');
}

/** This machine in words, without its name. */
export function describeMachine(): string {
  const [processor] = cpus();
  const memoryGB = Math.round(totalmem() / 2 ** 30);
  const cores = availableParallelism();
  return [
    `${cores} ${cores === 1 ? 'core' : 'cores'} (${processor?.model.trim() || arch()})`,
    `${memoryGB} GiB`,
    `${type()} ${release().split('-', 1)[0]}`,
    `Node ${process.versions.node}`,
  ].join(', ');
}
