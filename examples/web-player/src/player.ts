import type { Swarm, Track } from '@sonantica/swarm';
import { ChunkMap } from './chunk-map.ts';
import { formatQuality, formatSize, formatTime } from './format.ts';
import type { ListedTrack } from './library.ts';
import { element, say } from './page.ts';
import type { Language, Text } from './text.ts';

const TIERS = ['aula', 'global', 'origin', 'cache'] as const;

/** The upper part of the page: one track, how it plays and where it comes from. */
export class Player {
  readonly #swarm: Swarm;
  readonly #audio = element('audio', HTMLAudioElement);
  readonly #play = element('play', HTMLButtonElement);
  readonly #seek = element('seek', HTMLInputElement);
  readonly #map = new ChunkMap(element('map', HTMLCanvasElement));
  #text: Text;
  #language: Language;
  #listed: ListedTrack | undefined;
  #track: Track | undefined;
  #via: string | undefined;
  #trouble: 'noOrigin' | 'notPlayable' | undefined;
  #seeking = false;
  /** Whether a track that is still being opened is to play once it can; `undefined` while none is. */
  #begins: boolean | undefined;

  constructor(swarm: Swarm, text: Text, language: Language) {
    this.#swarm = swarm;
    this.#text = text;
    this.#language = language;
    this.#play.addEventListener('click', () => void this.toggle());
    this.#seek.addEventListener('input', () => {
      this.#seeking = true;
      this.#showTime(Number(this.#seek.value));
    });
    this.#seek.addEventListener('change', () => {
      this.#seeking = false;
      this.#audio.currentTime = Number(this.#seek.value);
    });
    for (const type of [
      'play',
      'pause',
      'ended',
      'timeupdate',
      'progress',
      'loadedmetadata',
      'durationchange',
    ])
      this.#audio.addEventListener(type, () => this.show());
    for (const type of ['timeupdate', 'seeking'])
      this.#audio.addEventListener(type, () => this.#track?.setPlayhead(this.#audio.currentTime));
    this.#audio.addEventListener('error', () => {
      // While a track is being opened, what fails is the one before.
      if (this.#begins === undefined) this.#failed();
    });
  }

  get trackId(): string | undefined {
    return this.#listed?.trackId;
  }

  get isPlaying(): boolean {
    return this.#begins ?? !this.#audio.paused;
  }

  speak(text: Text, language: Language): void {
    this.#text = text;
    this.#language = language;
    this.show();
  }

  /** The page's colours changed. */
  redraw(): void {
    this.#map.draw();
  }

  /** Takes another track; `begin`: and plays it. */
  async choose(listed: ListedTrack, begin: boolean): Promise<void> {
    this.#track?.close();
    this.#audio.pause();
    this.#audio.removeAttribute('src');
    this.#audio.load();
    this.#listed = listed;
    this.#via = undefined;
    this.#trouble = undefined;
    this.#begins = begin;
    const track = this.#swarm.open(listed.trackId);
    this.#track = track;
    track.on('chunk', ({ index, tier }) => this.#map.set(index, tier));
    this.#map.reset(1);
    this.show();
    void this.#mapChunks(track);
    try {
      const { url, via } = await track.playable();
      if (this.#track !== track) return;
      this.#via = via;
      this.#audio.src = url;
      this.#trouble = undefined;
      const plays = this.#begins;
      this.#begins = undefined;
      if (plays) await this.#audio.play();
    } catch (error) {
      if (this.#track !== track) return;
      this.#begins = undefined;
      if (!isInterruption(error)) this.#failed();
    }
    this.show();
  }

  /** Shows the track's chunks once their number is known; the player gets ready meanwhile. */
  async #mapChunks(track: Track): Promise<void> {
    try {
      const { chunkCount } = await track.manifest();
      if (this.#track !== track) return;
      this.#map.reset(chunkCount);
      this.#map.hold(track.heldChunks);
    } catch {
      if (this.#track === track) this.#failed();
    }
  }

  async toggle(): Promise<void> {
    if (this.#begins !== undefined) {
      this.#begins = !this.#begins;
      return this.show();
    }
    if (!this.#audio.paused) return this.#audio.pause();
    if ((this.#audio.error !== null || this.#trouble !== undefined) && this.#listed !== undefined)
      return this.choose(this.#listed, true);
    try {
      await this.#audio.play();
    } catch (error) {
      if (!isInterruption(error)) this.#failed();
    }
  }

  /** Shows what is so now. */
  show(): void {
    const text = this.#text;
    const listed = this.#listed;
    this.#play.setAttribute('aria-label', this.isPlaying ? text.pause : text.play);
    this.#play.classList.toggle('playing', this.isPlaying);
    this.#play.disabled = listed === undefined;
    this.#seek.setAttribute('aria-label', text.seek);
    say('title', listed?.title ?? listed?.trackId ?? '');
    if (listed === undefined) return;
    const duration = Number.isFinite(this.#audio.duration)
      ? this.#audio.duration
      : (listed.audio?.durationSeconds ?? 0);
    this.#seek.max = String(duration);
    if (!this.#seeking) this.#showTime(this.#audio.currentTime);
    say('facts', formatQuality(listed, text, this.#language));
    const ahead = this.#bufferedAhead();
    say('ahead', ahead > 0 ? text.ahead(Math.round(ahead)) : '');
    this.#showSources();
    const notice =
      this.#trouble !== undefined
        ? text[this.#trouble]
        : this.#via === 'blob'
          ? text.viaBlob
          : this.#via === 'origin'
            ? text.viaOrigin
            : '';
    say('trouble', notice);
  }

  #showTime(seconds: number): void {
    const duration = Number(this.#seek.max);
    if (!this.#seeking) this.#seek.value = String(seconds);
    say('elapsed', formatTime(seconds));
    say('remaining', `−${formatTime(duration - seconds)}`);
    this.#map.position = duration > 0 ? seconds / duration : 0;
    this.#seek.setAttribute('aria-valuetext', formatTime(seconds));
  }

  #showSources(): void {
    const bytes = this.#track?.stats().bytes;
    if (this.#track !== undefined && this.#track.stats().chunks.total > 1)
      this.#map.hold(this.#track.heldChunks);
    const parts = TIERS.map((tier) => ({ tier, bytes: bytes?.[tier] ?? 0 }))
      .filter((part) => part.bytes > 0)
      .map((part) => ({ tier: part.tier, size: formatSize(part.bytes, this.#language) }));
    say('sources', parts.length === 0 ? this.#text.nothingYet : `${this.#text.from(parts)}.`);
  }

  #bufferedAhead(): number {
    const { buffered, currentTime } = this.#audio;
    for (let i = 0; i < buffered.length; i++)
      if (buffered.start(i) <= currentTime + 0.1 && buffered.end(i) > currentTime)
        return buffered.end(i) - currentTime;
    return 0;
  }

  #failed(): void {
    this.#trouble = 'notPlayable';
    this.show();
  }
}

/** The player was told something else meanwhile, or the browser waits for a gesture of the listener. */
function isInterruption(error: unknown): boolean {
  return error instanceof DOMException && (error.name === 'AbortError' || error.name === 'NotAllowedError');
}
