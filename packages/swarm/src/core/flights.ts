import type { SchedulerCommand } from './scheduler-command.ts';
import { ORIGIN, type SourceId, type SourceState } from './source-state.ts';
import type { SwarmState } from './swarm-state.ts';
import type { TrackDemand } from './track-demand.ts';
import type { BlockSpan, WantedChunk } from './wanted-chunk.ts';

/** What is under way from whom: keeps the books of it, and collects what the shell is to do. */
export class Flights {
  readonly #state: SwarmState;
  #commands: SchedulerCommand[] = [];

  constructor(state: SwarmState) {
    this.#state = state;
  }

  command(command: SchedulerCommand): void {
    this.#commands.push(command);
  }

  /** Asks a source for a run of blocks. */
  ask(
    source: SourceId,
    track: TrackDemand,
    chunk: WantedChunk,
    span: BlockSpan,
    nowMs: number,
    together = false,
  ): void {
    for (let block = span.first; block < span.end; block++) chunk.takeOff(block, source, nowMs);
    this.#commands.push({
      type: 'fetch',
      source,
      track: track.key,
      chunk: chunk.chunk,
      first: span.first,
      count: span.end - span.first,
      deadlineMs: chunk.dueMs(span.first),
      together,
    });
  }

  /** A run of blocks has been under way from a peer since then. */
  hadBegun(peer: SourceState, chunk: WantedChunk, { first, end }: BlockSpan, sinceMs: number): void {
    if (peer.outstandingBytes === 0) {
      peer.lastProgressMs = sinceMs;
      peer.window.begun(sinceMs);
    }
    for (let block = first; block < Math.min(end, chunk.blocks); block++) {
      if (chunk.isAskedOf(peer.id, block)) continue;
      chunk.takeOff(block, peer.id, sinceMs);
      peer.outstandingBytes += chunk.blockBytes(block);
    }
    peer.window.requested(peer.outstandingBytes, sinceMs);
  }

  /** A block came, whoever sent it. */
  arrived(from: SourceId, chunk: WantedChunk | undefined, block: number, nowMs: number): void {
    if (from === ORIGIN) this.#state.origin.delivered(chunk, block, nowMs);
    const peer = this.#state.peers.get(from);
    if (chunk?.land(block, from) !== true || peer === undefined) return;
    const bytes = chunk.blockBytes(block);
    peer.outstandingBytes -= bytes;
    peer.gave(bytes, nowMs);
    this.#state.lastGivenMs = nowMs;
    peer.window.delivered(bytes, peer.outstandingBytes, nowMs);
  }

  /** Takes back what was asked of a source, if it was. */
  cancel(track: TrackDemand, chunk: WantedChunk, block: number, source: SourceId): void {
    if (!chunk.land(block, source)) return;
    const peer = this.#state.peers.get(source);
    if (peer !== undefined) peer.outstandingBytes -= chunk.blockBytes(block);
    const last = this.#commands.at(-1);
    if (
      last?.type === 'cancel' &&
      last.source === source &&
      last.track === track.key &&
      last.chunk === chunk.chunk &&
      last.first + last.count === block
    ) {
      this.#commands[this.#commands.length - 1] = { ...last, count: last.count + 1 };
    } else {
      this.#commands.push({
        type: 'cancel',
        source,
        track: track.key,
        chunk: chunk.chunk,
        first: block,
        count: 1,
      });
    }
  }

  /** Takes back everything asked for of a chunk. */
  cancelAll(track: TrackDemand, chunk: WantedChunk): void {
    for (let block = 0; chunk.hasFlights && block < chunk.blocks; block++) {
      for (const flight of chunk.flightsOf(block)) this.cancel(track, chunk, block, flight.source);
    }
    chunk.waitAnew();
    this.#state.origin.ended(chunk);
  }

  /** Takes back everything asked of a peer. */
  recall(peer: SourceState): void {
    for (const track of this.#state.tracks.values()) {
      for (const chunk of track.begun) {
        if (!chunk.isAskedOf(peer.id)) continue;
        for (let block = 0; block < chunk.blocks; block++) this.cancel(track, chunk, block, peer.id);
      }
    }
    peer.outstandingBytes = 0;
  }

  /** Forgets everything asked of a source that can no longer answer. */
  landAll(source: SourceId, only?: TrackDemand): void {
    for (const track of only === undefined ? this.#state.tracks.values() : [only]) {
      for (const chunk of track.begun) this.landSpan(source, chunk, { first: 0, end: chunk.blocks });
    }
  }

  /** Forgets a run of blocks asked of a source. */
  landSpan(source: SourceId, chunk: WantedChunk | undefined, span: BlockSpan): void {
    if (chunk?.isAskedOf(source) !== true) return;
    const peer = this.#state.peers.get(source);
    for (let block = span.first; block < Math.min(span.end, chunk.blocks); block++) {
      if (chunk.land(block, source) && peer !== undefined) peer.outstandingBytes -= chunk.blockBytes(block);
    }
  }

  /** The commands since the last call, in the order in which they are to be performed. */
  flush(): SchedulerCommand[] {
    const commands = this.#commands;
    this.#commands = [];
    return commands;
  }
}
