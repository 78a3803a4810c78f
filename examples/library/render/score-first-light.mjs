/**
 * First Light, in D: a picked guitar, a harp above it.
 *
 * `chord` is bass, second bass and three upper strings. `pick` goes by eighths: b and a are the
 * basses, 1 to 3 the upper strings, a dot lets ring. A slash changes the chord in mid-bar.
 * `melody` is the harp's line.
 */
export const BARS = [
  { chord: 'D2 A2 F#3 A3 E4', pick: 'b.123...', melody: '' },
  { chord: 'D2 B2 G3 B3 D4', pick: 'b.123.2.', melody: '' },
  { chord: 'D2 A2 F#3 C#4 E4', pick: 'b123a.2.', melody: '' },
  { chord: 'A2 E3 G3 B3 E4', pick: 'b123a132', melody: 'r:3 E5:1' },

  { chord: 'D2 A2 F#3 A3 D4', pick: 'b123a132', melody: 'r:1 A4:1 D5:2' },
  { chord: 'C3 G2 E3 G3 D4', pick: 'b123a232', melody: 'E5:1.5 D5:0.5 G4:2' },
  { chord: 'B2 D3 G3 A3 D4', pick: 'b123a132', melody: 'A4:1 B4:1 D5:2' },
  { chord: 'Bb2 D3 G3 Bb3 E4', pick: 'b123a321', melody: 'Bb4:1.5 A4:0.5 G4:2' },

  { chord: 'A2 D3 F#3 A3 D4', pick: 'b123a132', melody: 'F#4:1 A4:1 D5:1 F#5:1' },
  { chord: 'A2 E3 G3 C#4 E4', pick: 'b123a232', melody: 'E5:3 C#5:1' },
  { chord: 'B2 F#2 F#3 A3 C#4', pick: 'b123a132', melody: 'D5:1.5 C#5:0.5 A4:2' },
  { chord: 'G2 D3 F#3 A3 B3', pick: 'b123a132', melody: 'B4:1 D5+F#4:1 F#5+A4:1.5 E5:0.5' },

  { chord: 'E2 B2 G3 B3 D4', pick: 'b123a132', melody: 'G5+B4:1.5 F#5:0.5 E5+G4:1 B4:1' },
  { chord: 'A2 E3 G3 B3 D4/A2 E3 G3 C#4 E4', pick: 'b123a132', melody: 'D5:2 C#5:1 E5:1' },
  { chord: 'D2 A2 F#3 A3 E4', pick: 'b123a.3.', melody: 'D5+F#4:2 A4:2' },
  { chord: 'D2 B2 G3 B3 D4', pick: 'b.123...', melody: 'B4:1.5 A4:0.5 G4:2' },
  { chord: 'D2 A2 F#3 A3 E4', pick: 'roll', melody: 'r:1 F#4:1 A4:1 D5:1 A5:4' },
];

export const TIME = {
  start: 0.7,
  bpm: 77,
  beatsPerBar: 4,
  bars: BARS.length,
  rubato: { 1: 1.06, 2: 1.03, 4: 1.03, 8: 1.03, 14: 1.03, 15: 1.05, 16: 1.12, 17: 1.1 },
};

/** How strongly to play, bar by bar. */
export const DYNAMICS = [
  [0, 0.42],
  [4, 0.52],
  [7.5, 0.5],
  [11, 0.66],
  [12.5, 0.72],
  [14, 0.55],
  [16, 0.4],
];
