import { describe, expect, it } from 'vitest';
import { expecting, rowsIn, type Measurement } from './figures-area.ts';
import { MEASUREMENTS } from './figures-measured.ts';
import { figuresPage } from './figures-page.ts';
import { measure } from './figures.ts';

const MEASUREMENT: Measurement = {
  name: 'a link',
  runs: [{ script: 'bench', args: ['goodput', '--rtc', 'wrtc', '--only', 'two words', '--json'] }],
  rows: expecting('a link', [
    { what: 'share', of: (report) => report.at('link.ratio'), least: 0.9 },
    { what: 'copies', of: (report) => report.at('copies'), most: 1.5 },
  ]),
};
const given = (printed: unknown) => measure(MEASUREMENT, () => Promise.resolve(printed));

describe('a measurement', () => {
  it('passes at its bars and fails beyond them, and says how to see it again', async () => {
    const command = 'sonantica-bench goodput --rtc wrtc --only "two words" --json';
    expect(await given({ link: { ratio: 0.9 }, copies: 1.5 })).toEqual([
      { row: 'a link', bar: 'share ≥ 0.9', figure: 0.9, passed: true, command },
      { row: 'a link', bar: 'copies ≤ 1.5', figure: 1.5, passed: true, command },
    ]);
    const short = await given({ link: { ratio: 0.899 }, copies: 1.501 });
    expect(short.map(({ passed }) => passed)).toEqual([false, false]);
  });

  it.each([{}, null, [], { link: 3 }, { link: { ratio: '0.95' } }])(
    'fails where the number is not there: %j',
    async (printed) => {
      const [row] = await given(printed);
      expect(row).toMatchObject({ figure: 'not measured', passed: false });
    },
  );

  it('that does not end falls short, and says why', async () => {
    const rows = await measure(MEASUREMENT, () => Promise.reject(new Error('no Chromium\n at somewhere')));
    expect(rows).toMatchObject([{ row: 'a link', figure: 'no Chromium', passed: false }]);
  });

  it('that gives no row falls short', async () => {
    const rows = await measure(
      { ...MEASUREMENT, rows: ([printed]) => rowsIn(printed, '') },
      async () => ({}),
    );
    expect(rows).toMatchObject([{ figure: 'nothing was measured', passed: false }]);
  });

  it('has a name of its own', () => {
    const names = MEASUREMENTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the page of figures', () => {
  const ROW = { row: 'a link', bar: 'share ≥ 0.9', figure: 0.95, passed: true, command: 'again | and again' };

  it('begins with how many bars are reached, and lists every row with its command', () => {
    const page = figuresPage([ROW], 'two cores', 'figures --markdown');
    expect(page).toContain('**Every bar is reached: 1 of 1.**');
    expect(page).toContain('| a link | share ≥ 0.9 | 0.95 | pass | `again \\| and again` |');
    expect(page).toContain('two cores');
    expect(page).not.toContain('falls short');
  });

  it('names what falls short, and does not count rows without a bar', () => {
    const rows = [ROW, { ...ROW, figure: 0.5, passed: false }, { ...ROW, bar: 'printed', passed: undefined }];
    const page = figuresPage(rows, 'two cores', 'figures --markdown');
    expect(page).toContain('**1 of 2 bars are reached; 1 falls short.**');
    expect(page).toContain('- a link: share ≥ 0.9; it is 0.5.');
  });
});
