import { attack, release } from './envelope.mjs';

const DAMPER_SECONDS = 0.8;

/** The partials of a tuned bar over its resonator. */
const MODES = [
  { ratio: 1, gain: 1, t60: 7, hardness: 0 },
  { ratio: 3.99, gain: 0.3, t60: 2.2, hardness: 0.8 },
  { ratio: 9.6, gain: 0.1, t60: 0.6, hardness: 1.6 },
];

/**
 * Strikes a bar with a soft mallet. A harder stroke wakes more of the upper modes.
 * @param {{ hz: number, velocity: number, seconds: number }} note
 * @param {number} rate
 */
export function strikeBar({ hz, velocity, seconds }, rate) {
  const samples = new Float64Array(Math.ceil((seconds + DAMPER_SECONDS) * rate));
  const size = Math.sqrt(440 / hz);
  for (const mode of MODES) {
    const gain = 0.5 * mode.gain * velocity ** (1.3 + mode.hardness);
    ring(samples, hz * mode.ratio, gain, mode.t60 * size, rate);
  }
  attack(samples, 0.003, rate);
  return release(samples, DAMPER_SECONDS, rate);
}

/** Adds one decaying sine, by the two-term recurrence. */
function ring(samples, hz, gain, t60, rate) {
  const omega = (2 * Math.PI * hz) / rate;
  const radius = 10 ** (-3 / (t60 * rate));
  const turn = 2 * radius * Math.cos(omega);
  const fade = radius * radius;
  let previous = 0;
  let current = gain * radius * Math.sin(omega);
  for (let i = 1; i < samples.length; i++) {
    samples[i] += current;
    const next = turn * current - fade * previous;
    previous = current;
    current = next;
  }
}
