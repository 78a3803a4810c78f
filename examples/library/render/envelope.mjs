/** A smooth step: 0 at 0, 1 at 1, with no corner at either end. */
export const smooth = (x) => 0.5 - 0.5 * Math.cos(Math.PI * Math.min(1, Math.max(0, x)));

/** Lets the last `seconds` of a sound sink to silence, in place. */
export function release(samples, seconds, rate) {
  const count = Math.min(samples.length, Math.round(seconds * rate));
  for (let i = 0; i < count; i++) samples[samples.length - 1 - i] *= smooth(i / count);
  return samples;
}

/** Lets the first `seconds` of a sound rise from silence, in place. */
export function attack(samples, seconds, rate) {
  const count = Math.min(samples.length, Math.round(seconds * rate));
  for (let i = 0; i < count; i++) samples[i] *= smooth(i / count);
  return samples;
}
