import { attack, release } from './envelope.mjs';

const DAMPER_SECONDS = 0.35;
const TINE_RATIO = 7;

/**
 * Strikes a tine piano: two pairs of sines, each pair in frequency modulation. One pair gives the
 * warm bar, growing purer as it rings; the other the short glint of the hammer.
 * @param {{ hz: number, velocity: number, seconds: number }} note
 * @param {number} rate
 */
export function strikeTine({ hz, velocity, seconds }, rate) {
  const samples = new Float64Array(Math.ceil((seconds + DAMPER_SECONDS) * rate));
  const omega = (2 * Math.PI * hz) / rate;
  const fall = (tau) => Math.exp(-1 / (tau * rate));
  const size = (220 / hz) ** 0.45;

  let growl = (0.4 + 1.5 * velocity) * Math.min(1.15, size);
  let glint = 0.95 * velocity ** 1.5 * Math.min(1, size);
  let early = 0.55;
  let late = 0.45;
  const growlFall = fall(0.9 * size);
  const glintFall = fall(0.16);
  const earlyFall = fall(0.7 * size);
  const lateFall = fall(3.2 * size);
  const force = 0.5 * velocity ** 1.3;

  for (let i = 0; i < samples.length; i++) {
    const phase = omega * i;
    const bar = Math.sin(phase + growl * Math.sin(phase));
    const tine = Math.sin(1.0007 * phase + glint * Math.sin(TINE_RATIO * phase));
    samples[i] = force * (early + late) * (0.72 * bar + 0.28 * tine);
    growl *= growlFall;
    glint *= glintFall;
    early *= earlyFall;
    late *= lateFall;
  }
  attack(samples, 0.0025, rate);
  return release(samples, DAMPER_SECONDS, rate);
}
