import type { ListedTrack } from './library.ts';
import type { Language, Text } from './text.ts';

/** Seconds as minutes and seconds: `3:07`. */
export function formatTime(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Bytes as decimal megabytes or gigabytes, in the listener's own figures. */
export function formatSize(bytes: number, language: Language): string {
  const [value, unit] = bytes < 1e9 ? [bytes / 1e6, 'MB'] : [bytes / 1e9, 'GB'];
  const digits = value >= 100 || Number.isInteger(value) ? 0 : 1;
  return `${value.toLocaleString(language, { maximumFractionDigits: digits })}\u00a0${unit}`;
}

/** Codec, depth, rate and channels, as far as they are known. */
export function formatQuality({ audio }: ListedTrack, text: Text, language: Language): string {
  if (audio === undefined) return '';
  const { codec, bitsPerSample, sampleRate, channels } = audio;
  const parts = [codec?.toUpperCase()];
  if (bitsPerSample !== undefined) parts.push(`${bitsPerSample}\u00a0${text.bits}`);
  if (sampleRate !== undefined) parts.push(`${(sampleRate / 1000).toLocaleString(language)}\u00a0kHz`);
  if (channels !== undefined) parts.push(text.channels(channels));
  return parts.filter((part) => part !== undefined).join(' · ');
}
