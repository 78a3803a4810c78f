import { attack, release } from './envelope.mjs';

const STRIDE = 512;
const PARTIALS = [1, 0.42, 0.2, 0.1, 0.05, 0.022];

/** Three players a few cents apart, spread across the room. */
const PLAYERS = [
  { cents: -4, pan: -0.75 },
  { cents: 0.6, pan: 0.05 },
  { cents: 4.5, pan: 0.75 },
];

/**
 * Breathes a soft chord tone onto a bus.
 * @param {import("./stereo.mjs").Stereo} bus
 * @param {{ hz: number, velocity: number, at: number, seconds: number, rise: number, fall: number }} note
 * @param {number} rate
 * @param {ReturnType<typeof import("./random.mjs").createRandom>} random
 */
export function breathe(bus, note, rate, random) {
  for (const { cents, pan } of PLAYERS) {
    const samples = new Float64Array(Math.ceil((note.seconds + note.fall) * rate));
    PARTIALS.forEach((gain, index) => {
      const hz = note.hz * (index + 1) * 2 ** (cents / 1200);
      hum(samples, hz, gain * note.velocity, rate, random);
    });
    attack(samples, note.rise, rate);
    release(samples, note.fall, rate);
    bus.place(samples, Math.round(note.at * rate), pan, 0.2);
  }
}

/** Adds one sine whose strength wavers slowly. */
function hum(samples, hz, gain, rate, random) {
  const omega = (2 * Math.PI * hz) / rate;
  const turn = 2 * Math.cos(omega);
  const phase = 2 * Math.PI * random.uniform();
  let previous = gain * Math.sin(phase - omega);
  let current = gain * Math.sin(phase);

  const waver = (2 * Math.PI * (0.12 + 0.2 * random.uniform())) / rate;
  const waverPhase = 2 * Math.PI * random.uniform();
  const strengthAt = (i) => 1 + 0.22 * Math.sin(waverPhase + waver * i);

  // So slow a change may be drawn in straight lines.
  for (let start = 0; start < samples.length; start += STRIDE) {
    const end = Math.min(start + STRIDE, samples.length);
    let strength = strengthAt(start);
    const slope = (strengthAt(start + STRIDE) - strength) / STRIDE;
    for (let i = start; i < end; i++) {
      samples[i] += current * strength;
      strength += slope;
      const next = turn * current - previous;
      previous = current;
      current = next;
    }
  }
}
