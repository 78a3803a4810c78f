import { VirtualClock } from '@sonantica/swarm/testing';
import { describe, expect, it } from 'vitest';
import { Line } from './line.ts';

/** 100 bytes a millisecond. */
const RATE = 100;

function line(): { clock: VirtualClock; line: Line; through: string[]; pass: (name: string) => () => void } {
  const clock = new VirtualClock();
  const through: string[] = [];
  const pass = (name: string) => () => void through.push(`${name} at ${clock.nowMs()}`);
  return { clock, line: new Line(clock, RATE), through, pass };
}

describe('a line', () => {
  it('passes one packet after another at its rate', () => {
    const { clock, line: a, through, pass } = line();
    const flow = a.flow();
    flow.push(1_000, pass('first'));
    flow.push(500, pass('second'));
    expect(flow.queuedBytes).toBe(1_500);
    clock.advance(12);
    expect(through).toEqual(['first at 10']);
    expect(flow.queuedBytes).toBe(500);
    clock.advance(10);
    expect(through).toEqual(['first at 10', 'second at 15']);
  });

  it('serves flows in turn, one packet each', () => {
    const { clock, line: a, through, pass } = line();
    const [one, two] = [a.flow(), a.flow()];
    for (const n of [1, 2, 3]) one.push(100, pass(`one ${n}`));
    for (const n of [1, 2]) two.push(100, pass(`two ${n}`));
    clock.advance(10);
    // The first is on the line before the other flow asks.
    expect(through.map((each) => each.split(' at ')[0])).toEqual([
      'one 1',
      'one 2',
      'two 1',
      'one 3',
      'two 2',
    ]);
  });

  it('lets what is urgent go before all that waits', () => {
    const { clock, line: a, through, pass } = line();
    const flow = a.flow();
    flow.push(100, pass('under way'));
    flow.push(100, pass('waiting'));
    a.urgent(100, pass('urgent'));
    clock.advance(10);
    expect(through.map((each) => each.split(' at ')[0])).toEqual(['under way', 'urgent', 'waiting']);
  });

  it('forgets what a dropped flow had waiting', () => {
    const { clock, line: a, through, pass } = line();
    const flow = a.flow();
    flow.push(100, pass('under way'));
    flow.push(100, pass('dropped'));
    flow.drop();
    clock.advance(10);
    expect(through).toEqual(['under way at 1']);
    flow.push(100, pass('after'));
    clock.advance(10);
    expect(through).toEqual(['under way at 1', 'after at 11']);
  });
});
