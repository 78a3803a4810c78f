import { afterEach, describe, expect, it, vi } from 'vitest';
import { Emitter } from './events.ts';

interface Events {
  readonly note: number;
  readonly rest: string;
}

afterEach(() => vi.restoreAllMocks());

describe('an emitter', () => {
  it('tells every listener of its own event, in the order in which they came', () => {
    const emitter = new Emitter<Events>();
    const heard: string[] = [];
    emitter.on('note', (note) => heard.push(`first ${note}`));
    emitter.on('note', (note) => heard.push(`second ${note}`));
    emitter.on('rest', (rest) => heard.push(rest));
    emitter.emit('note', 4);
    expect(heard).toEqual(['first 4', 'second 4']);
  });

  it('tells nobody who stopped listening', () => {
    const emitter = new Emitter<Events>();
    const heard: number[] = [];
    const stop = emitter.on('note', (note) => heard.push(note));
    emitter.emit('note', 1);
    stop();
    stop();
    emitter.emit('note', 2);
    emitter.on('note', (note) => heard.push(note * 10));
    emitter.clear();
    emitter.emit('note', 3);
    expect(heard).toEqual([1]);
  });

  it('lets no listener that throws stop the others, and throws its error later', () => {
    const later: (() => void)[] = [];
    vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((run) => void later.push(run));
    const emitter = new Emitter<Events>();
    const heard: number[] = [];
    emitter.on('note', () => {
      throw new Error('out of tune');
    });
    emitter.on('note', (note) => heard.push(note));
    emitter.emit('note', 1);
    expect(heard).toEqual([1]);
    expect(later).toHaveLength(1);
    expect(later[0]).toThrow('out of tune');
  });

  it('bears a listener that stops listening while it is told', () => {
    const emitter = new Emitter<Events>();
    const heard: number[] = [];
    const stop = emitter.on('note', () => stop());
    emitter.on('note', (note) => heard.push(note));
    emitter.emit('note', 1);
    emitter.emit('note', 2);
    expect(heard).toEqual([1, 2]);
  });
});
