/**
 * Lamplight, in E flat: a slow waltz for tine piano and vibraphone.
 *
 * `chord` is the bass and three inner voices, each led by step into the next bar. `hand` is how
 * they are played. `melody` is the piano's line, `bells` the vibraphone's.
 */
export const BARS = [
  { chord: 'Eb2 G3 Bb3 D4', hand: 'waltz', melody: 'r:1 Bb4:1 D5:1', bells: '' },
  { chord: 'Ab2 G3 Bb3 C4', hand: 'waltz', melody: 'C5:2 Bb4:1', bells: '' },
  { chord: 'G2 F3 Bb3 D4', hand: 'waltz', melody: 'F4:2 G4:1', bells: '' },
  { chord: 'C3 Eb3 Bb3 D4', hand: 'broken', melody: 'G4:3', bells: 'r:1.5 D5:0.5 G5:1' },
  { chord: 'F2 Eb3 Ab3 C4', hand: 'waltz', melody: 'r:1 Ab4:1 C5:1', bells: '' },
  { chord: 'Bb2 Eb3 Ab3 C4', hand: 'waltz', melody: 'Bb4:2 Ab4:1', bells: '' },
  { chord: 'Eb2 D3 G3 Bb3', hand: 'waltz', melody: 'G4:2 F4:1', bells: '' },
  { chord: 'Eb2 F3 Ab3 Cb4', hand: 'broken', melody: 'F4:2 Eb4:1', bells: '' },

  { chord: 'Ab2 G3 C4 Eb4', hand: 'flow', melody: '', bells: 'C5:1 Eb5:1 G5:1' },
  { chord: 'Ab2 F3 Bb3 D4', hand: 'flow', melody: '', bells: 'F5:2 D5:1' },
  { chord: 'G2 F3 Bb3 D4', hand: 'flow', melody: '', bells: 'D5:1.5 C5:0.5 Bb4:1' },
  { chord: 'C3 Eb3 Bb3 D4', hand: 'flow', melody: 'r:2 G4:1', bells: 'D5:3' },
  { chord: 'F2 Eb3 A3 C4', hand: 'flow', melody: '', bells: 'C5:1 Eb5:1 G5:1' },
  { chord: 'F2 Eb3 Ab3 C4', hand: 'flow', melody: '', bells: 'Ab5:2 G5:1' },
  { chord: 'Cb3 Eb3 Gb3 Bb3', hand: 'flow', melody: '', bells: 'Gb5:2 Eb5:1' },
  { chord: 'Bb2 Eb3 Ab3 C4', hand: 'broken', melody: '', bells: 'F5:1 Eb5:1 C5:1' },

  { chord: 'Eb2 D3 G3 Bb3', hand: 'broken', melody: 'r:1 Bb4:1 D5:1', bells: '' },
  { chord: 'Ab2 Eb3 G3 Bb3', hand: 'broken', melody: 'C5:2 Bb4:1', bells: 'r:1 G5:2' },
  { chord: 'G2 D3 F3 Bb3', hand: 'broken', melody: 'Bb4:1 D5:1 F5:1', bells: '' },
  { chord: 'C3 Eb3 G3 Bb3', hand: 'broken', melody: 'Eb5:1 D5:2', bells: 'r:1 Bb5:1 G5:1' },
  { chord: 'F2 Eb3 Ab3 C4', hand: 'waltz', melody: 'r:1 Ab4:1 C5:1', bells: '' },
  { chord: 'Bb2 D3 Ab3 Cb4', hand: 'waltz', melody: 'Ab4:2 F4:1', bells: 'r:1 Cb6:1 Ab5:1' },
  { chord: 'Eb2 Eb3 G3 Bb3', hand: 'waltz', melody: 'G4:2 F4:1', bells: 'r:1 Bb5:2' },
  { chord: 'Eb2 F3 Ab3 Cb4', hand: 'waltz', melody: 'F4:1 Ab4:1 Cb5:1', bells: '' },
  { chord: 'Eb2 G3 Bb3 D4', hand: 'roll', melody: 'Bb4:6', bells: 'r:1 F5:1 Bb5:1 F6:3' },
];

export const TIME = {
  start: 0.7,
  bpm: 76,
  beatsPerBar: 3,
  bars: BARS.length,
  rubato: { 1: 1.05, 8: 1.06, 14: 1.04, 16: 1.07, 22: 1.03, 23: 1.06, 24: 1.14, 25: 1.1 },
};

/** How strongly to play, bar by bar. */
export const DYNAMICS = [
  [0, 0.46],
  [3, 0.54],
  [7, 0.45],
  [9, 0.48],
  [13, 0.62],
  [15, 0.5],
  [18.5, 0.58],
  [22, 0.47],
  [24, 0.38],
];

/** How far the pad comes forward, bar by bar. */
export const SWELL = [
  [3, 0],
  [8, 0.5],
  [14, 0.9],
  [18, 0.7],
  [24, 0.4],
];
