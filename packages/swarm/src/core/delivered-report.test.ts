import { describe, expect, it } from 'vitest';
import { DeliveredReport } from './delivered-report.ts';

const none = { cache: 0, aula: 0, global: 0, origin: 0 };

describe('the report of what was given', () => {
  it('tells each byte once', () => {
    const report = new DeliveredReport();
    expect(report.take({ ...none, aula: 5, origin: 2 })).toEqual({ ...none, aula: 5, origin: 2 });
    expect(report.take({ ...none, aula: 5, origin: 2 })).toBeUndefined();
    expect(report.take({ ...none, aula: 6, origin: 2, cache: 1 })).toEqual({ ...none, aula: 1, cache: 1 });
  });

  it('keeps what is too much for one report for the next', () => {
    const report = new DeliveredReport();
    expect(report.take({ ...none, global: 1_500_000_000 })).toEqual({ ...none, global: 1_000_000_000 });
    expect(report.take({ ...none, global: 1_500_000_000 })).toEqual({ ...none, global: 500_000_000 });
  });
});
