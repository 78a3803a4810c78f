import { createDesk } from './desk.mjs';
import { throughBody } from './guitar-body.mjs';
import { chord, line } from './notation.mjs';
import { breathe } from './pad.mjs';
import { GUITAR, HARP, pluck } from './plucked-string.mjs';
import { createRandom } from './random.mjs';
import { BARS, DYNAMICS, TIME } from './score-first-light.mjs';
import { createClock, createHand, curve } from './timing.mjs';

const SEED = 20251;
const LAST = BARS.length - 1;
const STRINGS = 'ba123';
/** Thumb, thumb, then three fingers: each string has its weight and its place. */
const WEIGHT = [1.05, 0.82, 0.74, 0.78, 0.86];
const PAN = [-0.05, -0.25, -0.5, -0.38, -0.22];

/**
 * Plays and mixes the piece.
 * @param {{ rate: number, seconds: number }} format
 */
export function renderFirstLight(format) {
  const { rate } = format;
  const desk = createDesk(format);
  const clock = createClock(TIME);
  const random = createRandom(SEED);
  const play = { rate, clock, random, hand: createHand(random) };

  const guitar = playGuitar(desk.bus(), play);
  throughBody(guitar, rate);
  desk.mix(guitar, { level: 0, send: -8 });
  desk.mix(playHarp(desk.bus(), play), { level: -1.5, send: -5 });
  desk.mix(playPad(desk.bus(), play), { level: -21, send: -4 });

  return desk.master({
    room: { size: 1.15, t60: 2.6, t60High: 1.1, preDelay: 0.022 },
    peak: -3,
    air: -98,
    fadeIn: 0.6,
    fadeOut: 4,
    seed: SEED + 1,
  });
}

function playGuitar(bus, { rate, clock, hand, random }) {
  const sound = (string, hz, velocity, at, until) => {
    const note = { hz, velocity, seconds: until - at };
    bus.place(pluck(GUITAR, note, rate, random), Math.round(at * rate), PAN[string], 0.5);
  };

  BARS.forEach(({ chord: text, pick }, bar) => {
    const chords = text.split('/').map(chord);
    if (pick === 'roll') {
      chords[0].forEach((hz, string) => {
        const at = hand.late(clock(bar, 0) + 0.09 * string, 0.004);
        sound(string, hz, hand.force(0.42 * WEIGHT[string]), at, at + 8);
      });
      return;
    }
    const steps = [...pick];
    steps.forEach((symbol, step) => {
      if (symbol === '.') return;
      const string = STRINGS.indexOf(symbol);
      const strings = chords[Math.floor((step * chords.length) / steps.length)];
      const again = steps.indexOf(symbol, step + 1);
      const strength = curve(DYNAMICS, bar + step / 8) * WEIGHT[string] * (step % 4 ? 0.94 : 1.04);
      const at = hand.late(clock(bar, step / 2));
      const until = again > 0 ? clock(bar, again / 2) - 0.02 : clock(bar + 1, 0) + 0.1;
      sound(string, strings[string], hand.force(strength), at, until);
    });
  });
  return bus;
}

function playHarp(bus, { rate, clock, hand, random }) {
  BARS.forEach(({ melody }, bar) => {
    for (const { beat, beats, pitches } of line(melody)) {
      const strength = 0.95 * curve(DYNAMICS, bar + beat / 4);
      pitches.forEach((hz, index) => {
        const at = hand.late(clock(bar, beat) + 0.012 + 0.035 * (pitches.length - 1 - index), 0.009);
        const seconds = clock(bar, beat + beats) - clock(bar, beat) + 1.1;
        const velocity = hand.force(index ? 0.7 * strength : strength);
        const note = { hz, velocity, seconds: bar === LAST ? 6 : seconds };
        bus.place(pluck(HARP, note, rate, random), Math.round(at * rate), 0.42, 0.5);
      });
    }
  });
  return bus;
}

function playPad(bus, { rate, clock, random }) {
  BARS.forEach(({ chord: text }, bar) => {
    const chords = text.split('/').map(chord);
    chords.forEach(([, , ...upper], index) => {
      const at = clock(bar, (4 * index) / chords.length) - 0.25;
      const seconds = clock(bar, (4 * (index + 1)) / chords.length) - at;
      const velocity = 1.4 * (curve(DYNAMICS, bar) - 0.2);
      for (const hz of upper) {
        breathe(bus, { hz, velocity, at, seconds, rise: 1.3, fall: 1.7 }, rate, random);
      }
    });
  });
  return bus;
}
