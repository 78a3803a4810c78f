import { createLogUpdate } from 'log-update';
import { blue, bold, cyan, dim, green, red, yellow } from 'yoctocolors';
import type { RunEvent, Sample } from '../record.ts';
import type { Scenario } from '../scenario.ts';
import { describeScenario, megabytes, percent } from './words.ts';

const BAR_CELLS = 40;
const DRAW_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;
/** Rates are taken over this much of the run's time, in milliseconds. */
const RATE_OVER_MS = 3_000;
/** Events kept in view. */
const EVENTS_SHOWN = 4;
const TIERS = ['cache', 'aula', 'global', 'origin'] as const;
const COLOURS = { cache: cyan, aula: green, global: blue, origin: yellow };
/** Told apart without colour too. */
const CELLS = { cache: '▓', aula: '█', global: '▒', origin: '░' };
const SAID: Record<RunEvent['what'], string> = {
  'tracker-died': 'the tracker died',
  'origin-died': 'the origin died',
  crashed: 'crashed',
  left: 'left',
  joined: 'came',
  caught: 'was caught sending wrong bytes',
  trouble: '',
};

/** Shows how a run comes along: a view that is drawn anew on a terminal, a line now and then elsewhere. */
export interface Live {
  /** Another scenario than was thought: that of the tracks there are. */
  began(scenario: Scenario): void;
  sample(sample: Sample): void;
  event(event: RunEvent): void;
  /** Clears the view: what comes after says how it ended. */
  end(): void;
}

export function createLive(stream: NodeJS.WriteStream, scenario: Scenario): Live {
  const view = new LiveView(scenario);
  if (!stream.isTTY) {
    let lastMs = performance.now();
    return {
      began: (real) => view.began(real),
      sample: (sample) => {
        view.take(sample);
        if (performance.now() - lastMs < LINE_EVERY_MS) return;
        lastMs = performance.now();
        stream.write(`${view.line()}\n`);
      },
      event: (event) => {
        if (!isUsual(event)) stream.write(`${eventText(event)}\n`);
      },
      end: () => undefined,
    };
  }
  const update = createLogUpdate(stream, { showCursor: true });
  let lastMs = 0;
  return {
    began: (real) => view.began(real),
    sample: (sample) => {
      view.take(sample);
      if (performance.now() - lastMs < DRAW_EVERY_MS) return;
      lastMs = performance.now();
      update(view.draw());
    },
    event: (event) => {
      if (!isUsual(event)) view.note(event);
    },
    end: () => update.clear(),
  };
}

/** What is shown of a run. */
export class LiveView {
  #scenario: Scenario;
  readonly #recent: Sample[] = [];
  readonly #notes: string[] = [];

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  began(scenario: Scenario): void {
    this.#scenario = scenario;
  }

  take(sample: Sample): void {
    this.#recent.push(sample);
    while (this.#recent.length > 2 && sample.atMs - (this.#recent[0]?.atMs ?? 0) > RATE_OVER_MS)
      this.#recent.shift();
  }

  note(event: RunEvent): void {
    this.#notes.push(eventText(event));
    if (this.#notes.length > EVENTS_SHOWN) this.#notes.shift();
  }

  /** The whole view, several lines. */
  draw(): string {
    const sample = this.#recent.at(-1);
    if (sample === undefined) return dim('…');
    const { opened, playing, stalled, completed, links, bytes } = sample;
    const tiers = TIERS.filter((tier) => bytes[tier] > 0).map(
      (tier) => `${COLOURS[tier](CELLS[tier])} ${tier} ${megabytes(bytes[tier])}`,
    );
    return [
      dim(describeScenario(this.#scenario)),
      `${this.#bar(sample)} ${bold(`${this.#progress(sample)} %`)}  ${(sample.atMs / 1000).toFixed(0)} s`,
      tiers.join('   '),
      `offload ${bold(percent(offloadOf(sample)))}   ${this.#rates()}`,
      `${opened} of ${this.#scenario.peers} came   ${playing} play   ${stalled > 0 ? red(`${stalled} wait`) : '0 wait'}   ${completed} have all   ${links.toFixed(0)} links`,
      ...this.#notes.map((note) => dim(note)),
    ].join('\n');
  }

  /** The same in one line. */
  line(): string {
    const sample = this.#recent.at(-1);
    if (sample === undefined) return '…';
    const { opened, playing, stalled, completed } = sample;
    return `${(sample.atMs / 1000).toFixed(0)} s  ${this.#progress(sample)} %  offload ${percent(offloadOf(sample))}  ${this.#rates()}  ${opened} came, ${playing} play, ${stalled} wait, ${completed} have all`;
  }

  #goalBytes(): number {
    const { peers, plays, sizeMB } = this.#scenario;
    return peers * plays * sizeMB * 1e6;
  }

  #progress(sample: Sample): number {
    return Math.min(100, Math.floor((deliveredOf(sample) / this.#goalBytes()) * 100));
  }

  #bar({ bytes }: Sample): string {
    let bar = '';
    let cells = 0;
    let sum = 0;
    for (const tier of TIERS) {
      sum += bytes[tier];
      const upTo = Math.min(BAR_CELLS, Math.round((sum / this.#goalBytes()) * BAR_CELLS));
      bar += COLOURS[tier](CELLS[tier].repeat(Math.max(0, upTo - cells)));
      cells = Math.max(cells, upTo);
    }
    return `${bar}${dim('·'.repeat(BAR_CELLS - cells))}`;
  }

  #rates(): string {
    const [first, last] = [this.#recent[0], this.#recent.at(-1)];
    const ms = (last?.atMs ?? 0) - (first?.atMs ?? 0);
    if (first === undefined || last === undefined || ms <= 0)
      return '0.0 MB/s from peers  0.0 MB/s from the origin';
    const peers = last.bytes.aula + last.bytes.global - first.bytes.aula - first.bytes.global;
    const origin = last.originSentBytes - first.originSentBytes;
    return `${(peers / 1000 / ms).toFixed(1)} MB/s from peers  ${(origin / 1000 / ms).toFixed(1)} MB/s from the origin`;
  }
}

function deliveredOf({ bytes }: Sample): number {
  return bytes.origin + bytes.aula + bytes.global + bytes.cache;
}

function offloadOf(sample: Sample): number {
  const delivered = deliveredOf(sample);
  return delivered === 0 ? 0 : Math.max(0, 1 - sample.originSentBytes / delivered);
}

/** Comings and goings are what a run consists of. */
function isUsual({ what }: RunEvent): boolean {
  return what === 'joined' || what === 'left' || what === 'crashed';
}

function eventText({ atMs, what, who }: RunEvent): string {
  const at = `${(atMs / 1000).toFixed(0)} s  `;
  return what === 'trouble' || what === 'caught'
    ? `${at}${who} ${SAID[what]}`.trimEnd()
    : `${at}${SAID[what]}`;
}
