import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NAMED_SCENARIOS, readScenario } from './scenario-choice.ts';
import { DEFAULT_SCENARIO } from './scenario.ts';
import { flagsOf, scenarioOf } from './swarm-flags.ts';

function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sonantica-scenario-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'mine.json');
  writeFileSync(file, text);
  return file;
}

describe('a scenario', () => {
  it.each(Object.keys(NAMED_SCENARIOS))('is known as %s', (name) => {
    expect(readScenario(name)).toBe(NAMED_SCENARIOS[name as keyof typeof NAMED_SCENARIOS]);
  });

  it('is read from a file, rates as a number or two', () => {
    expect(
      readScenario(fileOf('{ "peers": 50, "sizeMB": 2.5, "rttMs": "20-200", "peerUpKbps": 800 }')),
    ).toEqual({
      peers: 50,
      sizeMB: 2.5,
      rttMs: { least: 20, most: 200 },
      peerUpKbps: { least: 800, most: 800 },
    });
  });

  it.each([
    ['{ "peers": 0 }', /peers Expected a whole number from 1 to 10000/],
    ['{ "peers": 1e6 }', /peers Expected a whole number/],
    ['{ "peers": "20" }', /peers Expected a whole number/],
    ['{ "peers": 2.5 }', /peers Expected a whole number/],
    ['{ "liars": 1.1 }', /liars Expected a number from 0 to 1/],
    ['{ "rttMs": "200-20" }', /rttMs Expected a positive number/],
    ['{ "rttMs": "1-2-3" }', /rttMs Expected a positive number/],
    ['{ "rttMs": -1 }', /rttMs Expected a positive number/],
    ['{ "policy": "random" }', /policy Expected one of swarm, http-only/],
    ['{ "peeers": 5 }', /peeers There is no such field/],
    ['[]', /Expected a JSON object/],
    ['null', /Expected a JSON object/],
    ['7', /Expected a JSON object/],
    ['{ "peers": 5', /neither staggered, .* nor a JSON file/],
  ])('is refused as %s', (text, why) => {
    expect(() => readScenario(fileOf(text))).toThrow(expect.objectContaining({ name: 'ScenarioError' }));
    expect(() => readScenario(fileOf(text))).toThrow(why);
  });

  it('gives way to flags, and fills up with what is usual', () => {
    const scenario = scenarioOf({ peers: 3 }, 'sim', 'two-aulas');
    expect(scenario).toEqual({ ...DEFAULT_SCENARIO, peers: 3, aulas: 2 });
    expect(scenarioOf({}, 'real', undefined).links).toBe(8);
    expect(scenarioOf({ links: 4 }, 'real', undefined).links).toBe(4);
  });

  it('can be said in flags again', () => {
    const scenario = scenarioOf(
      { peers: 3, rttMs: { least: 20, most: 200 }, policy: 'http-only' },
      'sim',
      'churn',
    );
    expect(flagsOf(scenario, 'sim').join(' ')).toBe(
      '--peers 3 --rtt-ms 20-200 --churn-per-min 0.5 --policy http-only',
    );
  });
});
