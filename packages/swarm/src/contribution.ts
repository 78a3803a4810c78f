import { SwarmError } from './errors.ts';

/** What the listener gives and takes. MB and GB are decimal, a day is a UTC day, 0 means nothing. */
export interface Contribution {
  /** Whether peers are dealt with at all. False opens no RTCPeerConnection and no tracker socket. */
  readonly p2pEnabled: boolean;
  /** Upload to peers, in megabytes (10⁶ bytes) a UTC day. */
  readonly maxBandwidthMBPerDay: number;
  /** Upload to peers at most, in kilobits a second; missing: as fast as the line. `null` takes back a limit. */
  readonly maxUploadKbps?: number | null;
  /** Chunks kept over restarts, in gigabytes (10⁹ bytes). */
  readonly maxStorageGB: number;
  /** Whether anybody is served, or only members of the own Aula. */
  readonly shareWithAnyUser: boolean;
  /** Whether Aula members are asked before others. */
  readonly prioritizeAulaMembers: boolean;
  /** Whether peers are asked at all. */
  readonly allowDownloadFromPeers: boolean;
  /** Whether the origin is asked before peers. */
  readonly preferServerOverP2P: boolean;
}

/** What a listener who has not chosen gives. */
export const DEFAULT_CONTRIBUTION: Contribution = {
  p2pEnabled: true,
  maxBandwidthMBPerDay: 500,
  maxStorageGB: 2,
  shareWithAnyUser: true,
  prioritizeAulaMembers: true,
  allowDownloadFromPeers: true,
  preferServerOverP2P: false,
};

/** Opted out: the origin alone, no connection to peers or trackers. */
export const SERVER_ONLY: Contribution = {
  p2pEnabled: false,
  maxBandwidthMBPerDay: 0,
  maxStorageGB: 0,
  shareWithAnyUser: false,
  prioritizeAulaMembers: false,
  allowDownloadFromPeers: false,
  preferServerOverP2P: true,
};

/**
 * Reads a choice over a base; fields that are absent keep the base's value. Throws
 * `SwarmError('invalid-argument')` for a field of the wrong type or a negative limit.
 */
export function readContribution(value: unknown, base: Contribution): Contribution {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SwarmError('invalid-argument', 'a contribution is an object');
  }
  const given = value as Record<string, unknown>;
  const flag = (name: keyof Contribution, fallback: boolean): boolean => {
    const field = given[name] ?? fallback;
    if (typeof field === 'boolean') return field;
    throw new SwarmError('invalid-argument', `${name} is true or false`);
  };
  const limit = (name: keyof Contribution, fallback?: number): number => {
    const field = given[name] ?? fallback;
    if (typeof field === 'number' && Number.isFinite(field) && field >= 0) return field;
    throw new SwarmError('invalid-argument', `${name} is a number, 0 or more`);
  };
  const uploadRate = (): Pick<Contribution, 'maxUploadKbps'> => {
    const { maxUploadKbps = base.maxUploadKbps } = given;
    if (maxUploadKbps === undefined) return {};
    return {
      maxUploadKbps: maxUploadKbps === null ? null : limit('maxUploadKbps', base.maxUploadKbps ?? undefined),
    };
  };
  return {
    p2pEnabled: flag('p2pEnabled', base.p2pEnabled),
    maxBandwidthMBPerDay: limit('maxBandwidthMBPerDay', base.maxBandwidthMBPerDay),
    ...uploadRate(),
    maxStorageGB: limit('maxStorageGB', base.maxStorageGB),
    shareWithAnyUser: flag('shareWithAnyUser', base.shareWithAnyUser),
    prioritizeAulaMembers: flag('prioritizeAulaMembers', base.prioritizeAulaMembers),
    allowDownloadFromPeers: flag('allowDownloadFromPeers', base.allowDownloadFromPeers),
    preferServerOverP2P: flag('preferServerOverP2P', base.preferServerOverP2P),
  };
}

/** What is left of the fields given for one run once the listener has spoken anew of some of them. */
export function withoutFields(
  run: Partial<Contribution>,
  newer: Partial<Contribution>,
): Partial<Contribution> {
  const left = Object.entries(run).filter(([name]) => newer[name as keyof Contribution] === undefined);
  return Object.fromEntries(left) as Partial<Contribution>;
}

/** The fields in which two choices differ, as they are in the later one. */
export function changedFields(earlier: Contribution, later: Contribution): Partial<Contribution> {
  const changed = Object.entries(later).filter(
    ([name, value]) => earlier[name as keyof Contribution] !== value,
  );
  return Object.fromEntries(changed) as Partial<Contribution>;
}

/** Bytes of upload a day. */
export function uploadBytesPerDay(contribution: Contribution): number {
  const givesNothing = !contribution.p2pEnabled || contribution.maxUploadKbps === 0;
  return givesNothing ? 0 : Math.floor(contribution.maxBandwidthMBPerDay * 1e6);
}

/** Bytes of chunks that may be kept. */
export function storageBytes(contribution: Contribution): number {
  return Math.floor(contribution.maxStorageGB * 1e9);
}
