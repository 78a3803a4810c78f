import { highpass, lossFilter } from './filters.mjs';
import { Stereo } from './stereo.mjs';

const LINE_SECONDS = [0.0297, 0.0371, 0.0411, 0.0437, 0.0533, 0.0617, 0.0719, 0.0833];
const DIFFUSER_SECONDS = [
  [0.0051, 0.0079, 0.0127, 0.0033],
  [0.0056, 0.0074, 0.0131, 0.0036],
];
const DIFFUSION = 0.62;
/** The room answers about as loud as it is spoken to. */
const ANSWER = 0.22;
const OUT_LEFT = [1, 0, -1, 0, 1, 0, -1, 0].map((sign) => sign * ANSWER);
const OUT_RIGHT = [0, 1, 0, -1, 0, 1, 0, -1].map((sign) => sign * ANSWER);

/** A short allpass that smears each sound before it enters the room. */
class Diffuser {
  #buffer;
  #cursor = 0;

  constructor(seconds, rate) {
    this.#buffer = new Float64Array(Math.round(seconds * rate));
  }

  step(x) {
    const delayed = this.#buffer[this.#cursor];
    const y = delayed - DIFFUSION * x;
    this.#buffer[this.#cursor] = x + DIFFUSION * y;
    this.#cursor = (this.#cursor + 1) % this.#buffer.length;
    return y;
  }
}

/** One path through the room: a delay that drifts a little, and the loss along it. */
class Path {
  #buffer;
  #cursor = 0;
  #damped = 0;
  #phase;

  constructor(seconds, index, { t60, t60High, rate }) {
    this.length = seconds * rate;
    this.sway = 0.00025 * rate;
    this.swayStep = (2 * Math.PI * (0.31 + 0.083 * index)) / rate;
    this.#phase = index;
    this.#buffer = new Float64Array(Math.ceil(this.length + this.sway) + 2);
    const low = { hz: 0, t60 };
    this.loss = lossFilter({ rate, seconds, low, high: { hz: 5000, t60: t60High } });
  }

  read() {
    const size = this.#buffer.length;
    const back = this.#cursor - this.length - this.sway * Math.sin(this.#phase) + size;
    this.#phase += this.swayStep;
    const whole = Math.floor(back);
    const rest = back - whole;
    const a = this.#buffer[whole % size];
    const b = this.#buffer[(whole + 1) % size];
    const { gain, pole } = this.loss;
    this.#damped = gain * (1 - pole) * (a + rest * (b - a)) + pole * this.#damped;
    return this.#damped;
  }

  write(x) {
    this.#buffer[this.#cursor] = x;
    this.#cursor = (this.#cursor + 1) % this.#buffer.length;
  }
}

/**
 * A room: a feedback network of eight delays, mixed by a Householder reflection.
 * @param {Stereo} input
 * @param {object} room
 * @param {number} room.rate
 * @param {number} room.size stretches every path
 * @param {number} room.t60 seconds of decay, low in the spectrum
 * @param {number} room.t60High seconds of decay at 5 kHz
 * @param {number} room.preDelay seconds before the room answers
 * @returns {Stereo} the room alone
 */
export function reverberate(input, room) {
  const { rate } = room;
  const output = new Stereo(input.length);
  const paths = LINE_SECONDS.map((seconds, i) => new Path(seconds * room.size, i, room));
  const entries = DIFFUSER_SECONDS.map((all) => [
    highpass(rate, 130),
    ...all.map((seconds) => new Diffuser(seconds, rate)),
  ]);
  const entering = [0, 0];
  const heard = new Float64Array(paths.length);
  const wait = Math.round(room.preDelay * rate);

  for (let i = wait; i < input.length; i++) {
    entering[0] = enter(entries[0], input.left[i - wait]);
    entering[1] = enter(entries[1], input.right[i - wait]);

    let sum = 0;
    for (let p = 0; p < paths.length; p++) {
      heard[p] = paths[p].read();
      sum += heard[p];
    }
    const reflected = (2 * sum) / paths.length;
    for (let p = 0; p < paths.length; p++) {
      paths[p].write(heard[p] - reflected + entering[p % 2]);
      output.left[i] += OUT_LEFT[p] * heard[p];
      output.right[i] += OUT_RIGHT[p] * heard[p];
    }
  }
  return output;
}

/** Passes one sample through the filters at the door. */
function enter(filters, x) {
  let y = x;
  for (const filter of filters) y = filter.step(y);
  return y;
}
