import { describe, expect, it } from 'vitest';
import {
  changedFields,
  DEFAULT_CONTRIBUTION,
  readContribution,
  SERVER_ONLY,
  storageBytes,
  uploadBytesPerDay,
  withoutFields,
} from './contribution.ts';
import { SwarmError } from './errors.ts';

describe('what a listener gives', () => {
  it('is 500 MB a day and 2 GB, with anybody, unless they chose otherwise', () => {
    expect(DEFAULT_CONTRIBUTION).toEqual({
      p2pEnabled: true,
      maxBandwidthMBPerDay: 500,
      maxStorageGB: 2,
      shareWithAnyUser: true,
      prioritizeAulaMembers: true,
      allowDownloadFromPeers: true,
      preferServerOverP2P: false,
    });
  });

  it('is nothing for who takes the server alone', () => {
    expect(SERVER_ONLY).toEqual({
      p2pEnabled: false,
      maxBandwidthMBPerDay: 0,
      maxStorageGB: 0,
      shareWithAnyUser: false,
      prioritizeAulaMembers: false,
      allowDownloadFromPeers: false,
      preferServerOverP2P: true,
    });
    expect([uploadBytesPerDay(SERVER_ONLY), storageBytes(SERVER_ONLY)]).toEqual([0, 0]);
  });

  it('is counted in decimal bytes', () => {
    expect(uploadBytesPerDay(DEFAULT_CONTRIBUTION)).toBe(500_000_000);
    expect(storageBytes(DEFAULT_CONTRIBUTION)).toBe(2_000_000_000);
    const odd = { ...DEFAULT_CONTRIBUTION, maxBandwidthMBPerDay: 0.000_001_9, maxStorageGB: 0.000_000_001_9 };
    expect([uploadBytesPerDay(odd), storageBytes(odd)]).toEqual([1, 1]);
  });

  it('is no upload without peers, whatever the limit says', () => {
    expect(uploadBytesPerDay({ ...DEFAULT_CONTRIBUTION, p2pEnabled: false })).toBe(0);
  });
});

describe('a choice', () => {
  it('keeps the base where it says nothing', () => {
    expect(readContribution({}, SERVER_ONLY)).toEqual(SERVER_ONLY);
    expect(readContribution({ maxStorageGB: 0, p2pEnabled: false }, DEFAULT_CONTRIBUTION)).toEqual({
      ...DEFAULT_CONTRIBUTION,
      maxStorageGB: 0,
      p2pEnabled: false,
    });
    expect(readContribution({ shareWithAnyUser: undefined }, SERVER_ONLY)).toEqual(SERVER_ONLY);
  });

  it('reads every field, and no other', () => {
    const others = { ...SERVER_ONLY, maxBandwidthMBPerDay: 7, maxStorageGB: 3 };
    expect(readContribution({ ...others, colour: 'blue' }, DEFAULT_CONTRIBUTION)).toEqual(others);
  });

  it.each([
    [undefined],
    [null],
    ['all'],
    [5],
    [[]],
    [{ p2pEnabled: 'yes' }],
    [{ shareWithAnyUser: 1 }],
    [{ prioritizeAulaMembers: 'false' }],
    [{ allowDownloadFromPeers: {} }],
    [{ preferServerOverP2P: 0 }],
    [{ maxBandwidthMBPerDay: -1 }],
    [{ maxBandwidthMBPerDay: Number.POSITIVE_INFINITY }],
    [{ maxBandwidthMBPerDay: '500' }],
    [{ maxUploadKbps: -1 }],
    [{ maxUploadKbps: '500' }],
    [{ maxStorageGB: Number.NaN }],
  ])('that makes no sense is refused: %j', (value) => {
    let thrown: unknown;
    try {
      readContribution(value, DEFAULT_CONTRIBUTION);
    } catch (error) {
      thrown = error;
    }
    expect(thrown instanceof SwarmError && thrown.code).toBe('invalid-argument');
  });
});

describe('what is said for one run', () => {
  it('counts no more in the fields of which the listener spoke anew', () => {
    const run = { p2pEnabled: false, maxStorageGB: 0 };
    expect(withoutFields(run, {})).toEqual(run);
    expect(withoutFields(run, { p2pEnabled: true, maxBandwidthMBPerDay: 1 })).toEqual({ maxStorageGB: 0 });
    expect(withoutFields(run, { p2pEnabled: false, maxStorageGB: 0 })).toEqual({});
  });

  it('is outranked by what changed in a later choice, and by nothing else of it', () => {
    expect(changedFields(DEFAULT_CONTRIBUTION, DEFAULT_CONTRIBUTION)).toEqual({});
    const later = { ...DEFAULT_CONTRIBUTION, p2pEnabled: false, maxStorageGB: 1 };
    expect(changedFields(DEFAULT_CONTRIBUTION, later)).toEqual({ p2pEnabled: false, maxStorageGB: 1 });
  });
});
