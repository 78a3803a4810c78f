import { seededRandom } from '@sonantica/swarm/testing';
import type { Scenario } from './scenario.ts';

/** Keeps the draws of programmes apart from all others of a run. */
const PROGRAMME_SEED = 7_000_003;

/** One track that a listener will play. */
export interface Choice {
  /** Its place in the library, the most popular first. */
  readonly track: number;
  /** The player could know beforehand that it comes next. */
  readonly isForeseen: boolean;
}

/**
 * What one listener plays, the same in every runtime. The first track and every unforeseen one are drawn by Zipf's
 * law: the track at place k is asked for in proportion to 1/k^zipf. A foreseen one is the next of the library.
 */
export function programmeOf(
  { seed, tracks, plays, predictable, zipf }: Scenario,
  listener: number,
): readonly Choice[] {
  const random = seededRandom(PROGRAMME_SEED * (seed + 1) + listener);
  const upTo: number[] = [];
  let total = 0;
  for (let place = 1; place <= tracks; place++) upTo.push((total += place ** -zipf));
  const draw = () => {
    const at = random.next() * total;
    return Math.max(
      0,
      upTo.findIndex((sum) => at < sum),
    );
  };
  const choices: Choice[] = [];
  for (let i = 0; i < plays; i++) {
    const before = choices.at(-1);
    const isForeseen = before !== undefined && random.next() < predictable;
    choices.push(
      isForeseen ? { track: (before.track + 1) % tracks, isForeseen } : { track: draw(), isForeseen },
    );
  }
  return choices;
}
