/** A second-order filter, in transposed direct form II. */
class Biquad {
  #z1 = 0;
  #z2 = 0;

  constructor(b0, b1, b2, a0, a1, a2) {
    Object.assign(this, { b0: b0 / a0, b1: b1 / a0, b2: b2 / a0, a1: a1 / a0, a2: a2 / a0 });
  }

  /** Filters one sample. */
  step(x) {
    const y = this.b0 * x + this.#z1;
    this.#z1 = this.b1 * x - this.a1 * y + this.#z2;
    this.#z2 = this.b2 * x - this.a2 * y;
    return y;
  }
}

function design(rate, hz, q) {
  const omega = (2 * Math.PI * hz) / rate;
  return { cos: Math.cos(omega), alpha: Math.sin(omega) / (2 * q) };
}

/** Lets through what lies above `hz`. */
export function highpass(rate, hz, q = Math.SQRT1_2) {
  const { cos, alpha } = design(rate, hz, q);
  return new Biquad((1 + cos) / 2, -1 - cos, (1 + cos) / 2, 1 + alpha, -2 * cos, 1 - alpha);
}

/** Lets through what lies below `hz`. */
export function lowpass(rate, hz, q = Math.SQRT1_2) {
  const { cos, alpha } = design(rate, hz, q);
  return new Biquad((1 - cos) / 2, 1 - cos, (1 - cos) / 2, 1 + alpha, -2 * cos, 1 - alpha);
}

/** Lets through what lies around `hz`, with a gain of 1 at the centre. */
export function bandpass(rate, hz, q) {
  const { cos, alpha } = design(rate, hz, q);
  return new Biquad(alpha, 0, -alpha, 1 + alpha, -2 * cos, 1 - alpha);
}

/** Runs a filter over a whole buffer, in place. */
export function filterInPlace(filter, samples) {
  for (let i = 0; i < samples.length; i++) samples[i] = filter.step(samples[i]);
  return samples;
}

/** The gain of one pass round a loop that falls by 60 dB in `t60` seconds. */
export const loopGain = (loopSeconds, t60) => 10 ** ((-3 * loopSeconds) / t60);

/**
 * The one-pole filter `y = gain * (1 - pole) * x + pole * y'` that a feedback loop needs so that
 * its sound decays in one time at a low frequency, and in a shorter one at a high frequency.
 * @param {object} loop
 * @param {number} loop.rate
 * @param {number} loop.seconds how long one pass takes
 * @param {{ hz: number, t60: number }} loop.low
 * @param {{ hz: number, t60: number }} loop.high
 */
export function lossFilter({ rate, seconds, low, high }) {
  const omega = (2 * Math.PI * low.hz) / rate;
  const cosLow = Math.cos(omega);
  const cosHigh = Math.cos((2 * Math.PI * high.hz) / rate);
  const gainLow = loopGain(seconds, low.t60);
  const ratio = (loopGain(seconds, high.t60) / gainLow) ** 2;

  // Equal to |H(high)| / |H(low)| = sqrt(ratio), solved for the pole.
  const a = 1 - ratio;
  const b = cosLow - ratio * cosHigh;
  const pole = b > a ? (b - Math.sqrt(b * b - a * a)) / a : 0.9;

  const magnitude = (1 - pole) / Math.sqrt(1 - 2 * pole * cosLow + pole * pole);
  const gain = Math.min(gainLow / magnitude, 0.99999);
  const phase = Math.atan2(pole * Math.sin(omega), 1 - pole * cosLow);
  return { gain, pole, delay: omega > 0 ? phase / omega : pole / (1 - pole) };
}
