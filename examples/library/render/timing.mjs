/**
 * Turns bars and beats into seconds.
 * @param {object} plan
 * @param {number} plan.start seconds of quiet before the first bar
 * @param {number} plan.bpm
 * @param {number} plan.beatsPerBar
 * @param {number} plan.bars
 * @param {Record<number, number>} plan.rubato bars, counted from 1, that stretch by a factor
 * @returns {(bar: number, beat: number) => number} bar counted from 0
 */
export function createClock({ start, bpm, beatsPerBar, bars, rubato }) {
  const beatSeconds = Array.from({ length: bars }, (_, bar) => (60 / bpm) * (rubato[bar + 1] ?? 1));
  const barStarts = [start];
  for (const seconds of beatSeconds) barStarts.push(barStarts.at(-1) + seconds * beatsPerBar);
  return (bar, beat) =>
    bar < bars ? barStarts[bar] + beat * beatSeconds[bar] : barStarts[bars] + (beat * 60) / bpm;
}

/**
 * Reads a curve drawn through points, level before the first and after the last.
 * @param {[number, number][]} points
 * @param {number} x
 */
export function curve(points, x) {
  const next = points.findIndex(([px]) => px > x);
  if (next === 0) return points[0][1];
  if (next === -1) return points.at(-1)[1];
  const [x0, y0] = points[next - 1];
  const [x1, y1] = points[next];
  return y0 + ((y1 - y0) * (x - x0)) / (x1 - x0);
}

/**
 * The small unevenness of a hand: a few milliseconds, a few percent of force.
 * @param {ReturnType<typeof import("./random.mjs").createRandom>} random
 */
export const createHand = (random) => ({
  late: (seconds, spread = 0.007) => Math.max(0, seconds + spread * random.normal()),
  force: (velocity, spread = 0.07) => Math.min(1, Math.max(0.05, velocity * (1 + spread * random.normal()))),
});
