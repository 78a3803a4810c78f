import { bandpass, lowpass } from './filters.mjs';

/** The air, the top plate and the back of a small wooden body. */
const RESONANCES = [
  { hz: 101, q: 4, gain: 0.3 },
  { hz: 197, q: 5, gain: 0.55 },
  { hz: 265, q: 6, gain: 0.35 },
  { hz: 415, q: 6, gain: 0.4 },
  { hz: 790, q: 4, gain: 0.25 },
];

/** Sounds the strings on a bus through a guitar's body, in place. */
export function throughBody(bus, rate) {
  for (const samples of bus.channels) {
    const modes = RESONANCES.map(({ hz, q, gain }) => ({ filter: bandpass(rate, hz, q), gain }));
    const air = lowpass(rate, 10000, 0.6);
    for (let i = 0; i < samples.length; i++) {
      let sum = 0.7 * samples[i];
      for (const { filter, gain } of modes) sum += gain * filter.step(samples[i]);
      samples[i] = air.step(sum);
    }
  }
}
