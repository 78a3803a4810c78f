import { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Handshakes } from './handshakes.ts';

const sockets = (count: number) =>
  Array.from({ length: count }, () => new Socket()) as [Socket, Socket, Socket, Socket];
const dropped = (of: readonly Socket[]) => of.map(({ destroyed }) => destroyed);

describe('half-open connections', () => {
  it('beyond the bound give way, oldest first', () => {
    const handshakes = new Handshakes(2);
    const all = sockets(4);
    for (const socket of all.slice(0, 3)) handshakes.began(socket);
    expect(dropped(all)).toEqual([true, false, false, false]);
    handshakes.began(all[3]);
    expect(dropped(all)).toEqual([true, true, false, false]);
    expect(handshakes.size).toBe(2);
  });

  it.each([0, 1, 2] as const)('that closed or became WebSockets make room: number %i of three', (leaves) => {
    const handshakes = new Handshakes(3);
    const first = sockets(3);
    for (const socket of first) handshakes.began(socket);
    handshakes.ended(first[leaves]);
    handshakes.ended(first[leaves]);
    expect(handshakes.size).toBe(2);
    const later = sockets(3);
    handshakes.began(later[0]);
    expect(dropped(first)).toEqual([false, false, false]);
    handshakes.began(later[1]);
    handshakes.began(later[2]);
    expect(dropped(first)).toEqual([0, 1, 2].map((i) => i !== leaves));
    expect(dropped(later)).toEqual([false, false, false]);
    for (const socket of later) handshakes.ended(socket);
    expect(handshakes.size).toBe(0);
    handshakes.began(first[leaves]);
    expect(handshakes.size).toBe(1);
  });

  it('that went are let go of', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const handshakes = new Handshakes(1_000);
    const went: WeakRef<Socket>[] = [];
    const here: Socket[] = [];
    for (let i = 0; i < 5_000; i++) {
      const came = new Socket();
      here.push(came);
      handshakes.began(came);
      const goes = here.length > 100 ? here.shift() : undefined;
      if (goes === undefined) continue;
      handshakes.ended(goes);
      went.push(new WeakRef(goes));
    }
    // A reference that was made or looked at holds until the turn ends.
    await new Promise((passed) => setImmediate(passed));
    gc();
    // The last may still lie on the stack.
    expect(went.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(5);
    expect(handshakes.size).toBe(100);
  });

  it('that never began have nothing to end', () => {
    const handshakes = new Handshakes(2);
    const [a, b] = sockets(2);
    handshakes.began(a);
    handshakes.ended(b);
    expect(handshakes.size).toBe(1);
  });

  it('have no bound at 0', () => {
    const handshakes = new Handshakes(0);
    const all = sockets(3_000);
    for (const socket of all) handshakes.began(socket);
    expect(all.some(({ destroyed }) => destroyed)).toBe(false);
  });
});
