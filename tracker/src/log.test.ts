import { describe, expect, it } from 'vitest';
import { createLog, RefusalLog } from './log.ts';

function lines(level: Parameters<typeof createLog>[0] = 'info') {
  const written: unknown[] = [];
  const log = createLog(level, (line) => written.push(JSON.parse(line)));
  return { log, written };
}

describe('the log of refusals', () => {
  it('says who was refused what and why', () => {
    const { log, written } = lines();
    new RefusalLog(log).note('too-fast', { conn: 7, address: '203.0.113.9' }, 'signal');
    expect(written).toEqual([
      {
        level: 40,
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        conn: 7,
        address: '203.0.113.9',
        reason: 'too-fast',
        re: 'signal',
        msg: 'refused',
      },
    ]);
  });

  it('counts beyond 25 lines, and begins anew', () => {
    const { log, written } = lines();
    const refusals = new RefusalLog(log);
    for (let i = 0; i < 1_000; i++) refusals.note('malformed', { address: 'x' });
    expect(written).toHaveLength(25);
    refusals.flush();
    expect(written.at(-1)).toMatchObject({ unsaid: 975, msg: 'more was refused' });
    refusals.note('malformed', { address: 'x' });
    expect(written).toHaveLength(27);
  });

  it('is silent when told', () => {
    const { log, written } = lines('silent');
    new RefusalLog(log).note('malformed', { address: 'x' });
    expect(written).toEqual([]);
  });
});
