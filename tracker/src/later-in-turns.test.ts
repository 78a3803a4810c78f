import { describe, expect, it } from 'vitest';
import { laterInTurns, type LaterClock } from './later-in-turns.ts';

/** A clock that is moved by hand, and the turns that were asked for. */
class HandClock implements LaterClock {
  atMs = 0;
  readonly #due: { readonly run: () => void; readonly atMs: number }[] = [];

  nowMs(): number {
    return this.atMs;
  }

  nextTurn(run: () => void): void {
    this.#due.push({ run, atMs: this.atMs });
  }

  later(run: () => void, ms: number): void {
    this.#due.push({ run, atMs: this.atMs + ms });
  }

  /** One turn of the event loop. */
  turn(ms = 0): void {
    this.atMs += ms;
    const now = this.#due.filter(({ atMs }) => atMs <= this.atMs);
    for (const due of now) this.#due.splice(this.#due.indexOf(due), 1);
    for (const { run } of now) run();
  }

  get asked(): number {
    return this.#due.length;
  }
}

describe('what is dealt with later', () => {
  it('waits for as long as it is told, and goes a few a turn, in the order in which it came', () => {
    const clock = new HandClock();
    const had: number[] = [];
    const later = laterInTurns<number>((item) => had.push(item), { afterMs: 20, perTurn: 2 }, clock);
    for (const item of [1, 2, 3, 4, 5]) later(item);
    clock.turn(19);
    expect(had).toEqual([]);
    clock.turn(1);
    expect(had).toEqual([1, 2]);
    clock.turn();
    expect(had).toEqual([1, 2, 3, 4]);
    clock.turn();
    expect(had).toEqual([1, 2, 3, 4, 5]);
    expect(clock.asked, 'turns nobody needs').toBe(0);
  });

  it('waits its own time behind what came before it', () => {
    const clock = new HandClock();
    const had: string[] = [];
    const later = laterInTurns<string>((item) => had.push(item), { afterMs: 20, perTurn: 2 }, clock);
    later('first');
    clock.turn(15);
    later('second');
    clock.turn(5);
    expect(had).toEqual(['first']);
    clock.turn(14);
    expect(had).toEqual(['first']);
    clock.turn(1);
    expect(had).toEqual(['first', 'second']);
  });

  it('begins anew once nothing waits, and asks for one turn at a time', () => {
    const clock = new HandClock();
    let had = 0;
    const later = laterInTurns<number>(() => had++, { afterMs: 1, perTurn: 2 }, clock);
    for (let item = 0; item < 5_000; item++) later(item);
    expect(clock.asked).toBe(1);
    clock.turn(1);
    for (let turn = 1; turn < 2_500; turn++) clock.turn();
    expect(had).toBe(5_000);
    later(0);
    expect(clock.asked).toBe(1);
    clock.turn(1);
    expect(had).toBe(5_001);
  });
});
