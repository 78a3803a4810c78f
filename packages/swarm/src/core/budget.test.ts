import { array, assert, constant, integer, nat, oneof, property, record } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Budget, type BudgetDocument } from './budget.ts';

const DAY_MS = 86_400_000;
const LOT = 1_048_576;
const MB = 1_000_000;
const noon = Date.UTC(2026, 0, 1, 12);

describe('the limit', () => {
  it('grants nothing before it is set, and nothing when it is 0', () => {
    const budget = Budget.fromDocument(undefined, noon);
    expect(budget.reserve(1, noon).answer).toBe('refused');
    expect(budget.remaining(noon)).toBe(0);
    budget.setLimit(0);
    expect(budget.reserve(1, noon).answer).toBe('refused');
  });

  it('grants up to the last byte and not one more', () => {
    const disk = openDisk(500 * MB);
    expect(disk.send(500 * MB - 1)).toBe(true);
    expect(disk.send(2)).toBe(false);
    expect(disk.send(1)).toBe(true);
    expect(disk.send(1)).toBe(false);
    expect(disk.budget.remaining(noon)).toBe(0);
  });

  it('grants smaller reservations after a larger one did not fit', () => {
    const disk = openDisk(100);
    expect(disk.send(101)).toBe(false);
    expect(disk.send(100)).toBe(true);
  });

  it('counts what was sent today when it is changed', () => {
    const disk = openDisk(100);
    disk.send(60);
    disk.budget.setLimit(50);
    expect(disk.budget.remaining(noon)).toBe(0);
    expect(disk.send(1)).toBe(false);
    disk.budget.setLimit(70);
    expect(disk.budget.remaining(noon)).toBe(10);
    expect(disk.send(11)).toBe(false);
    expect(disk.send(10)).toBe(true);
  });

  it.each([-1, Number.NaN])('cannot be %s', (bytes) => {
    expect(() => Budget.fromDocument(undefined, noon).setLimit(bytes)).toThrow(RangeError);
  });

  it('rounds a fraction of a byte down', () => {
    const disk = openDisk(10.9);
    expect(disk.send(11)).toBe(false);
    expect(disk.send(10)).toBe(true);
  });

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])('takes no reservation of %s bytes', (bytes) => {
    const { budget } = openDisk(100);
    expect(() => budget.reserve(bytes, noon)).toThrow(RangeError);
    expect(budget.remaining(noon)).toBe(100);
  });
});

describe('lots', () => {
  it('grants nothing that is not on disk', () => {
    const budget = budgetOf(5 * LOT);
    expect(budget.reserve(10, noon)).toEqual(lot(LOT));
    expect(budget.reserve(10, noon)).toEqual(lot(LOT));
    expect(budget.remaining(noon)).toBe(5 * LOT);
  });

  it('asks for the next lot at the first byte beyond the last', () => {
    const disk = openDisk(5 * LOT);
    disk.send(10);
    expect(disk.budget.reserve(LOT - 10, noon).answer).toBe('granted');
    expect(disk.budget.reserve(1, noon)).toEqual(lot(2 * LOT));
  });

  it('answers the same document while it is being written', () => {
    const budget = budgetOf(5 * LOT);
    expect(documentOf(budget, 10)).toBe(documentOf(budget, 20));
  });

  it('sets aside more than a lot for a reservation larger than one', () => {
    expect(budgetOf(5 * LOT).reserve(3 * LOT, noon)).toEqual(lot(3 * LOT));
  });

  it('never sets aside more than the limit', () => {
    expect(budgetOf(LOT - 1).reserve(1, noon)).toEqual(lot(LOT - 1));
  });

  it('heeds only the document answered last', () => {
    const budget = budgetOf(5 * LOT);
    const small = documentOf(budget, 1);
    const large = documentOf(budget, 3 * LOT);
    budget.persisted(small);
    expect(budget.reserve(1, noon).answer).toBe('persist');
    budget.persisted(large);
    expect(budget.reserve(1, noon).answer).toBe('granted');
  });

  it('loses the rest of a lot in a crash, and nothing else', () => {
    const disk = openDisk(5 * LOT);
    disk.send(LOT + 10);
    disk.crash();
    expect(disk.budget.remaining(noon)).toBe(5 * LOT - (LOT + 10));
    disk.send(10);
    disk.crash();
    expect(disk.budget.remaining(noon)).toBe(5 * LOT - (LOT + 10) - LOT);
  });

  it('gives the rest of a lot back on closing', () => {
    const disk = openDisk(5 * LOT);
    disk.send(10);
    disk.document = disk.budget.settle();
    disk.crash();
    expect(disk.budget.remaining(noon)).toBe(5 * LOT - 10);
  });

  it('asks for a document again after closing', () => {
    const disk = openDisk(5 * LOT);
    disk.send(10);
    const late = documentOf(disk.budget, 2 * LOT);
    disk.budget.settle();
    disk.budget.persisted(late);
    expect(disk.budget.reserve(1, noon).answer).toBe('persist');
  });
});

describe('days', () => {
  const midnight = Date.UTC(2026, 0, 2);

  it('begin at midnight UTC', () => {
    const disk = openDisk(100);
    disk.send(100);
    expect(disk.send(1, midnight - 1)).toBe(false);
    expect(disk.send(100, midnight)).toBe(true);
    expect(disk.send(1, midnight)).toBe(false);
  });

  it('do not come back when the clock goes back', () => {
    const disk = openDisk(100);
    disk.send(60);
    expect(disk.budget.remaining(noon - 5 * DAY_MS)).toBe(40);
    expect(disk.send(41, noon - 5 * DAY_MS)).toBe(false);
    expect(disk.send(40, noon - 5 * DAY_MS)).toBe(true);
    expect(disk.send(1, noon)).toBe(false);
  });

  it('do not come back when the clock goes back over a restart', () => {
    const disk = openDisk(100);
    disk.send(100);
    disk.crash(noon - DAY_MS);
    expect(disk.send(1, noon - DAY_MS)).toBe(false);
    expect(disk.send(1, noon + DAY_MS)).toBe(true);
  });

  it('leave a document of yesterday behind that is written too late', () => {
    const budget = budgetOf(5 * LOT);
    const yesterday = documentOf(budget, 1);
    expect(budget.reserve(1, midnight).answer).toBe('persist');
    budget.persisted(yesterday);
    expect(budget.reserve(1, midnight).answer).toBe('persist');
  });

  it('do not pass while the clock says nothing sensible', () => {
    const disk = openDisk(100);
    disk.send(100);
    expect(disk.send(1, Number.NaN)).toBe(false);
    expect(disk.send(1, Number.NEGATIVE_INFINITY)).toBe(false);
  });
});

it.each([
  null,
  0,
  '',
  [],
  {},
  { version: 2, day: 1, takenBytes: 0 },
  { version: 1, day: '1', takenBytes: 0 },
  { version: 1, day: 1.5, takenBytes: 0 },
  { version: 1, day: 1, takenBytes: -1 },
  { version: 1, day: 1, takenBytes: null },
  { version: 1, day: 1, takenBytes: 1e300 },
])('counts the day as used up when the document is %j', (document) => {
  const budget = Budget.fromDocument(document, noon);
  budget.setLimit(100);
  expect(budget.remaining(noon)).toBe(0);
  expect(budget.remaining(noon + DAY_MS)).toBe(100);
});

it.each([1, 2, 3, 4, 5])(
  'leaves a document that makes sense after one that does not, %i bytes spent',
  (spent) => {
    const budget = Budget.fromDocument(undefined, noon);
    budget.setLimit(spent);
    budget.persisted(documentOf(budget, spent));
    budget.reserve(spent, noon);
    budget.sync(null, noon);
    const next = Budget.fromDocument(budget.settle(), noon + DAY_MS);
    next.setLimit(100);
    expect([budget.remaining(noon), next.remaining(noon + DAY_MS)]).toEqual([0, 100]);
  },
);

it('never sends more in a day than its limit, whatever crashes and clocks do', () => {
  const step = oneof(
    { weight: 6, arbitrary: record({ do: constant('send'), bytes: nat(3 * LOT) }) },
    { weight: 2, arbitrary: record({ do: constant('crash'), bytes: constant(0) }) },
    { weight: 1, arbitrary: record({ do: constant('crash while writing'), bytes: nat(3 * LOT) }) },
    { weight: 1, arbitrary: record({ do: constant('close'), bytes: constant(0) }) },
    {
      weight: 2,
      arbitrary: record({ do: constant('jump'), bytes: integer({ min: -2 * DAY_MS, max: DAY_MS }) }),
    },
  );
  const limits = integer({ min: 0, max: 8 * LOT });
  assert(
    property(limits, array(step, { maxLength: 60 }), (limit, steps) => {
      const disk = openDisk(limit);
      const sentByDay = new Map<number, number>();
      let wallMs = noon;
      // The latest day that the budget has seen; a crash forgets one of which nothing is on disk.
      let day = 0;
      let dayOnDisk = 0;
      for (const { do: what, bytes } of steps) {
        if (what === 'jump') wallMs += bytes;
        if (what === 'crash') disk.crash(wallMs);
        if (what === 'close') {
          disk.document = disk.budget.settle();
          dayOnDisk = day;
          disk.crash(wallMs);
        }
        if (what === 'crash' || what === 'close') day = dayOnDisk;
        else if (what !== 'jump') day = Math.max(day, Math.floor(wallMs / DAY_MS));
        if (what === 'crash while writing') {
          // The document is on disk, but nobody heard of it.
          const reservation = disk.budget.reserve(bytes, wallMs);
          if (reservation.answer === 'persist') {
            disk.document = reservation.document;
            dayOnDisk = day;
          }
          disk.crash(wallMs);
          day = dayOnDisk;
        }
        // Nothing sent is nothing written down: such a day may be forgotten by a crash.
        if (what !== 'send' || bytes === 0 || !disk.send(bytes, wallMs)) continue;
        dayOnDisk = day;
        sentByDay.set(day, (sentByDay.get(day) ?? 0) + bytes);
        expect(sentByDay.get(day)).toBeLessThanOrEqual(limit);
      }
    }),
    { numRuns: 2000 },
  );
});

/** A budget with the disk it is kept on, used as it is meant to be. */
function openDisk(limit: number) {
  let document: BudgetDocument | undefined;
  let budget = budgetOf(limit);
  return {
    get budget() {
      return budget;
    },
    set document(kept: BudgetDocument) {
      document = kept;
    },
    send(bytes: number, wallMs = noon): boolean {
      const reservation = budget.reserve(bytes, wallMs);
      if (reservation.answer !== 'persist') return reservation.answer === 'granted';
      document = structuredClone(reservation.document);
      budget.persisted(reservation.document);
      return budget.reserve(bytes, wallMs).answer === 'granted';
    },
    crash(wallMs = noon): void {
      budget = Budget.fromDocument(document, wallMs);
      budget.setLimit(limit);
    },
  };
}

function budgetOf(limit: number): Budget {
  const budget = Budget.fromDocument(undefined, noon);
  budget.setLimit(limit);
  return budget;
}

function lot(takenBytes: number) {
  return { answer: 'persist', document: { version: 1, day: Math.floor(noon / DAY_MS), takenBytes } };
}

function documentOf(budget: Budget, bytes: number): BudgetDocument {
  const reservation = budget.reserve(bytes, noon);
  if (reservation.answer !== 'persist') throw new Error(reservation.answer);
  return reservation.document;
}
