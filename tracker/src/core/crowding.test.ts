import { describe, expect, it } from 'vitest';
import { namesIn, VirtualTracker } from '../testing/virtual-tracker.ts';

function swarmOf(net: VirtualTracker, fromOne: number, others: number) {
  const crowd = new Set<string>();
  for (let i = 0; i < fromOne; i++) {
    const client = net.client('203.0.113.9');
    client.announce('all');
    crowd.add(client.id);
  }
  for (let i = 0; i < others; i++) net.client(`198.51.100.${i}`).announce('all');
  return crowd;
}

describe('a thousand peers of one address', () => {
  it.each([
    [1_000, 1_000, 20],
    [1_000, 200, 20],
    [1_000, 50, 50],
    [1_000, 10, 50],
  ])('%i beside %i others are at most a tenth of an answer to want %i', (fromOne, others, want) => {
    const net = new VirtualTracker({}, 7);
    const crowd = swarmOf(net, fromOne, others);
    const asker = net.client('192.0.2.1');
    let answers = [namesIn(asker.announce('none', { want }))];
    for (let i = 0; i < 20; i++) answers.push(namesIn(asker.find({ want })));
    for (const names of answers) {
      expect(names.length).toBeGreaterThanOrEqual(Math.min(want, others) / 2);
      expect(names.filter((name) => crowd.has(name)).length).toBeLessThanOrEqual(names.length / 10);
    }
  });

  it('are offered one at a time where there is nobody else', () => {
    const net = new VirtualTracker();
    swarmOf(net, 1_000, 0);
    expect(net.client('192.0.2.1').announce('none').peers).toHaveLength(1);
  });

  it('do not keep members of an Aula from each other', () => {
    const net = new VirtualTracker();
    for (let i = 0; i < 15; i++) {
      const client = net.client('203.0.113.9');
      client.join('aula');
      client.announce('all');
    }
    const asker = net.client('203.0.113.9');
    asker.join('aula');
    expect(asker.announce('none').peers).toHaveLength(15);
  });

  it.each([{ maxShareOfOneAddress: 0 }, { maxShareOfOneAddress: 1 }])(
    'are all offered with %j',
    (options) => {
      const net = new VirtualTracker(options);
      swarmOf(net, 30, 0);
      expect(net.client('192.0.2.1').announce('none', { want: 20 }).peers).toHaveLength(20);
    },
  );

  it('are all offered where addresses do not count', () => {
    const net = new VirtualTracker();
    for (let i = 0; i < 30; i++) net.client().announce('all');
    expect(net.client().announce('none', { want: 20 }).peers).toHaveLength(20);
  });
});
