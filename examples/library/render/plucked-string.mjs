import { release } from './envelope.mjs';
import { lossFilter } from './filters.mjs';

/**
 * A kind of string.
 * @typedef {object} StringKind
 * @property {number} position where the finger plucks, as a part of the length
 * @property {number} finger how bright a soft finger is on the string at 220 Hz, in Hz
 * @property {number} follow how far that brightness follows the pitch, from 0 to 1
 * @property {number} sustain seconds that a string at 110 Hz takes to fall by 60 dB
 * @property {number} shimmer seconds that its partials at 4 kHz take
 * @property {number} noise how much of the finger's noise is heard
 * @property {number} damping seconds in which a hand stops it
 */

/** @type {StringKind} */
export const GUITAR = {
  position: 0.21,
  finger: 2400,
  follow: 0.2,
  sustain: 7,
  shimmer: 0.95,
  noise: 0.05,
  damping: 0.3,
};

/** @type {StringKind} */
export const HARP = {
  position: 0.37,
  finger: 2300,
  follow: 0.2,
  sustain: 11,
  shimmer: 1.3,
  noise: 0.025,
  damping: 0.6,
};

const SHIMMER_HZ = 4000;

/** A string moves in two planes: the second is a shade sharper, weaker and shorter-lived. */
const PLANES = [
  { detune: 1, gain: 0.75, sustain: 1 },
  { detune: 1.0005, gain: 0.25, sustain: 0.55 },
];

/**
 * Plucks a string: an extended Karplus-Strong loop, heard at the bridge.
 * @param {StringKind} kind
 * @param {{ hz: number, velocity: number, seconds: number }} note
 * @param {number} rate
 * @param {ReturnType<typeof import("./random.mjs").createRandom>} random
 */
export function pluck(kind, note, rate, random) {
  const samples = new Float64Array(Math.ceil((note.seconds + kind.damping) * rate));
  for (const plane of PLANES) vibrate(samples, kind, plane, note, rate, random);
  return release(samples, kind.damping, rate);
}

function vibrate(samples, kind, plane, { hz: pitch, velocity }, rate, random) {
  const hz = pitch * plane.detune;
  const loss = lossFilter({
    rate,
    seconds: 1 / hz,
    low: { hz, t60: kind.sustain * plane.sustain * (110 / hz) ** 0.45 },
    high: { hz: Math.max(SHIMMER_HZ, 4 * hz), t60: kind.shimmer },
  });

  // Whole samples go in the delay line; an allpass makes up the rest, so the pitch is true.
  const loop = rate / hz - loss.delay;
  const whole = Math.floor(loop - 0.4);
  const rest = loop - whole;
  const half = (Math.PI * hz) / rate;
  const allpass = Math.sin((1 - rest) * half) / Math.sin((1 + rest) * half);
  const { pole } = loss;
  const feed = loss.gain * (1 - pole);

  const touch = fingertip(kind, hz, velocity, rate, random);
  const delay = new Float64Array(whole);
  let [cursor, before, tuned, lost] = [0, 0, 0, 0];
  for (let i = 0; i < samples.length; i++) {
    const delayed = delay[cursor];
    tuned = allpass * (delayed - tuned) + before;
    before = delayed;
    lost = feed * tuned + pole * lost;

    const heard = i < touch.length ? lost + touch[i] : lost;
    delay[cursor] = heard;
    samples[i] += plane.gain * heard;
    cursor = cursor + 1 === whole ? 0 : cursor + 1;
  }
}

/**
 * What a pluck puts into the loop: the force of the string on its bridge, which is one short pulse
 * in a period, of no mean, with a little noise of the finger. A harder touch is a brighter one.
 */
function fingertip(kind, hz, velocity, rate, random) {
  const period = rate / hz;
  const pulse = kind.position * period;
  const force = velocity ** 1.3;
  const cutoff = kind.finger * (0.45 + 1.4 * velocity) * (hz / 220) ** kind.follow;
  const softness = Math.exp((-2 * Math.PI * cutoff) / rate);
  const settling = Math.ceil((3 * rate) / cutoff);

  const touch = new Float64Array(Math.ceil(period) + settling);
  let [first, second] = [0, 0];
  for (let i = 0; i < touch.length; i++) {
    const shape = i < pulse ? 1 - kind.position : -kind.position;
    const push = i < period ? force * (shape + kind.noise * random.bipolar()) : 0;
    first = push + softness * (first - push);
    second = first + softness * (second - first);
    touch[i] = second;
  }
  return touch;
}
