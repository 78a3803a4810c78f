import { createDesk } from './desk.mjs';
import { strikeTine } from './electric-piano.mjs';
import { chord, line } from './notation.mjs';
import { breathe } from './pad.mjs';
import { createRandom } from './random.mjs';
import { BARS, DYNAMICS, SWELL, TIME } from './score-lamplight.mjs';
import { createClock, createHand, curve } from './timing.mjs';
import { strikeBar } from './vibraphone.mjs';

const SEED = 4410;
const LAST = BARS.length - 1;

/** Which voices each half beat touches, voice 0 being the bass, and how far apart hands spread them. */
const HANDS = {
  waltz: { touches: '0 . 123', spread: 0.011 },
  broken: { touches: '0 . 1 2 3', spread: 0.011 },
  flow: { touches: '0 1 2 3 2 1', spread: 0.011 },
  roll: { touches: '0123', spread: 0.13 },
};

/**
 * Plays and mixes the piece.
 * @param {{ rate: number, seconds: number }} format
 */
export function renderLamplight(format) {
  const { rate } = format;
  const desk = createDesk(format);
  const clock = createClock(TIME);
  const random = createRandom(SEED);
  const play = { rate, clock, random, hand: createHand(random) };

  const piano = playPiano(desk.bus(), play);
  sway(piano, rate);
  desk.mix(piano, { level: 0, send: -7 });
  desk.mix(playVibraphone(desk.bus(), play), { level: -1.5, send: -5 });
  desk.mix(playPad(desk.bus(), play), { level: -24, send: -3 });

  return desk.master({
    room: { size: 1.25, t60: 3, t60High: 1.2, preDelay: 0.028 },
    peak: -3,
    air: -81,
    fadeIn: 0.6,
    fadeOut: 4,
    seed: SEED + 1,
  });
}

function playPiano(bus, { rate, clock, hand }) {
  const sound = (hz, velocity, at, until, pan) => {
    const note = { hz, velocity: hand.force(velocity), seconds: until - at };
    bus.place(strikeTine(note, rate), Math.round(at * rate), pan, 0.5);
  };

  BARS.forEach(({ chord: text, hand: pattern, melody }, bar) => {
    const voices = chord(text);
    const lift = bar === LAST ? clock(bar, 0) + 8 : clock(bar + 1, 0) + 0.05;
    const { touches, spread } = HANDS[pattern];
    touches.split(' ').forEach((touched, half) => {
      if (touched === '.') return;
      for (const voice of [...touched].map(Number)) {
        const strength = curve(DYNAMICS, bar + half / 6) * (voice === 0 ? 0.85 : 0.68);
        const at = hand.late(clock(bar, half / 2) + spread * voice, 0.008);
        sound(voices[voice], strength, at, lift, -0.3 + 0.12 * voice);
      }
    });
    for (const { beat, beats, pitches } of line(melody)) {
      const strength = 1.08 * curve(DYNAMICS, bar + beat / 3);
      const at = hand.late(clock(bar, beat) + 0.015, 0.01);
      const until = bar === LAST ? lift : clock(bar, beat + beats) + 0.12;
      for (const hz of pitches) sound(hz, strength, at, until, 0.22);
    }
  });
  return bus;
}

function playVibraphone(bus, { rate, clock, hand }) {
  BARS.forEach(({ bells, melody }, bar) => {
    const leading = melody ? 0.72 : 1.1;
    for (const { beat, beats, pitches } of line(bells)) {
      const velocity = hand.force(leading * curve(DYNAMICS, bar + beat / 3));
      const at = hand.late(clock(bar, beat) + 0.01, 0.01);
      const seconds = bar === LAST ? 7 : clock(bar, beat + beats) - at + 0.9;
      for (const hz of pitches) {
        bus.place(strikeBar({ hz, velocity, seconds }, rate), Math.round(at * rate), 0.45, 0.5);
      }
    }
  });
  return bus;
}

function playPad(bus, { rate, clock, random }) {
  BARS.forEach(({ chord: text }, bar) => {
    const [, ...upper] = chord(text);
    const at = clock(bar, 0) - 0.2;
    const seconds = clock(bar + 1, 0) - at;
    const velocity = curve(SWELL, bar);
    for (const hz of upper) {
      breathe(bus, { hz, velocity, at, seconds, rise: 1.1, fall: 1.5 }, rate, random);
    }
  });
  return bus;
}

/** The piano's slow sway from side to side. */
function sway(bus, rate) {
  const step = (2 * Math.PI * 0.85) / rate;
  for (let i = 0; i < bus.length; i++) {
    const lean = 0.14 * Math.sin(step * i);
    bus.left[i] *= 1 + lean;
    bus.right[i] *= 1 - lean;
  }
}
