import { smooth } from './envelope.mjs';
import { filterInPlace, highpass, lowpass } from './filters.mjs';
import { createRandom } from './random.mjs';
import { reverberate } from './reverb.mjs';
import { Stereo } from './stereo.mjs';

const decibels = (db) => 10 ** (db / 20);

/**
 * The mixing desk: gathers buses, sends a part of each to the room, and masters the sum.
 * @param {{ rate: number, seconds: number }} format
 */
export function createDesk({ rate, seconds }) {
  const length = Math.round(seconds * rate);
  const dry = new Stereo(length);
  const sent = new Stereo(length);

  return {
    /** An empty bus of the track's length. */
    bus: () => new Stereo(length),

    /** Brings a bus in, at a level and with a part of it sent to the room, both in dB. */
    mix(bus, { level, send }) {
      dry.add(bus, decibels(level));
      sent.add(bus, decibels(level + send));
    },

    /**
     * The finished track: room added, rumble and offset removed, peak set, ends faded.
     * @param {object} plan
     * @param {object} plan.room see `reverberate`
     * @param {number} plan.peak in dBFS
     * @param {number} plan.air level of the room's own quiet noise, in dBFS
     * @param {number} plan.fadeIn seconds
     * @param {number} plan.fadeOut seconds
     * @param {number} plan.seed of the noise
     */
    master({ room, peak, air, fadeIn, fadeOut, seed }) {
      const track = dry;
      track.add(reverberate(sent, { rate, ...room }), 1);
      for (const samples of track.channels) filterInPlace(highpass(rate, 28), samples);
      const fade = (i) => smooth(i / (fadeIn * rate)) * smooth((length - 1 - i) / (fadeOut * rate));
      track.shape(fade);
      const gain = decibels(peak) / track.peak();
      track.shape(() => gain);

      const quiet = roomNoise(length, rate, decibels(air), createRandom(seed));
      quiet.shape(fade);
      track.add(quiet, 1);
      return track;
    },
  };
}

/** The noise of a still room: nearly white, rounded off at both ends. */
function roomNoise(length, rate, level, random) {
  const noise = new Stereo(length);
  for (const samples of noise.channels) {
    const [floor, ceiling] = [highpass(rate, 60), lowpass(rate, 16000, 0.5)];
    for (let i = 0; i < length; i++) {
      samples[i] = level * ceiling.step(floor.step(random.normal()));
    }
  }
  return noise;
}
