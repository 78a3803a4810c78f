import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { RunRecord, Watcher } from '../record.ts';
import { Impossible } from '../real/impossible.ts';
import type { Scenario } from '../scenario.ts';
import { csvOf, samplesCsv } from './csv.ts';
import { htmlOf } from './html.ts';
import { createLive } from './live.ts';
import { tableOf } from './table.ts';

/** What a run writes, and where. */
export interface OutputFlags {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly samples?: string;
  readonly html?: string;
}

/** Where a run's output goes: a view on standard error while it lasts, then a report on standard output and files. */
export interface Output {
  readonly watcher: Watcher;
  /** The run is over, however it ended: the view is cleared. */
  end(): void;
  /** `command` would run it again. */
  write(record: RunRecord, command: string): void;
}

/** Throws `Impossible` where a file could not be written, before anything is run. */
export function createOutput({ json, csv, samples, html }: OutputFlags, scenario: Scenario): Output {
  if (json === true && csv === true)
    throw new Impossible('--json and --csv both print the report: take one.');
  for (const file of [samples, html]) if (file !== undefined) checkFile(file);
  const isForMachines = json === true || csv === true;
  // Who reads JSON through a pipe has asked for nothing else.
  const live = isForMachines && !process.stderr.isTTY ? undefined : createLive(process.stderr, scenario);
  const isWatched = live !== undefined || samples !== undefined || html !== undefined;
  return {
    watcher: isWatched
      ? {
          began: (real) => live?.began(real),
          sample: (sample) => live?.sample(sample),
          event: (event) => live?.event(event),
        }
      : {},
    end: () => live?.end(),
    write: (record, command) => {
      if (samples !== undefined) writeFileSync(samples, samplesCsv(record.samples));
      if (html !== undefined) writeFileSync(html, htmlOf(record, command));
      if (json === true) console.log(JSON.stringify(record.report));
      else if (csv === true) process.stdout.write(csvOf(record));
      else say(process.stdout, tableOf(record));
    },
  };
}

/** Prints a text for people, in colour where they look at a terminal. */
export function say(stream: NodeJS.WriteStream, text: string): void {
  stream.write(`${stream.isTTY ? text : stripVTControlCharacters(text)}\n`);
}

function checkFile(file: string): void {
  const path = resolve(file);
  try {
    if (existsSync(path) && statSync(path).isDirectory()) throw new Error('it is a folder');
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
  } catch (error) {
    throw new Impossible(
      `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
}
