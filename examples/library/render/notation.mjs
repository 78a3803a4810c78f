const SEMITONES = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 };
const ACCIDENTALS = { '': 0, '#': 1, b: -1 };

/**
 * The frequency of a named pitch, in equal temperament with A4 at 440 Hz.
 * @param {string} name such as "F#4" or "Bb2"
 */
export function hertz(name) {
  const match = /^([A-G])([#b]?)(\d)$/.exec(name);
  if (!match) throw new Error(`not a pitch: ${name}`);
  const [, letter, accidental, octave] = match;
  const aboveC0 = SEMITONES[letter] + ACCIDENTALS[accidental] + 12 * Number(octave);
  return 440 * 2 ** ((aboveC0 - 57) / 12);
}

/**
 * The frequencies of a chord written from the bass up.
 * @param {string} text such as "D2 A2 F#3 A3 E4"
 */
export const chord = (text) => text.split(' ').map(hertz);

/**
 * A melodic line, read as notes that follow one another.
 * @param {string} text such as "r:1 A4:1 F#5+A4:2"; r is a rest, + joins pitches, : gives beats
 * @returns {{ beat: number, beats: number, pitches: number[] }[]}
 */
export function line(text) {
  const notes = [];
  let beat = 0;
  for (const word of text.split(' ').filter(Boolean)) {
    const [names, length] = word.split(':');
    const beats = Number(length);
    if (names !== 'r') notes.push({ beat, beats, pitches: names.split('+').map(hertz) });
    beat += beats;
  }
  return notes;
}
