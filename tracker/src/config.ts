import type { TrackId } from '@sonantica/wire';
import { perMinute, DEFAULT_RATES } from './core/rate-limit.ts';
import type { TrackerOptions } from './core/tracker-options.ts';
import type { TrackerLog } from './log.ts';
import { readSecret } from './secrets.ts';
import type { TrackerSettings } from './settings.ts';
import { turnServer } from './turn.ts';
import type { WsAdapterOptions } from './ws-adapter.ts';
import { createAdmission } from './auth.ts';

/** Where and how a tracker runs: every setting, and what only a program can give. */
export interface TrackerConfig extends TrackerSettings {
  /** How the core behaves, where that differs from what the settings say. */
  readonly tracker: Partial<TrackerOptions>;
  /** The same for connections. */
  readonly sockets: Partial<WsAdapterOptions>;
  /** Decides which tracks are served, beside the setting `tracks`. */
  readonly allowsTrack: (trackId: TrackId) => boolean;
  /** Where lines go; nowhere unless told. */
  readonly log: TrackerLog;
}

/** The core's options as the settings say. Throws `SettingsError` when a key or secret cannot be used. */
export function trackerOptionsOf(
  settings: TrackerSettings,
  allowsTrack: (trackId: TrackId) => boolean,
  wallMs: () => number,
): Partial<TrackerOptions> {
  const { auth, stunUrls, turnUrls, turnTtlSeconds } = settings;
  const tracks = new Set<string>(settings.tracks);
  const turn =
    turnUrls.length === 0
      ? undefined
      : {
          urls: turnUrls,
          secret: readSecret('turnSecret', settings.turnSecret),
          ttlSeconds: turnTtlSeconds,
        };
  return {
    announceIntervalMs: settings.announceIntervalMs,
    helloTimeoutMs: settings.helloTimeoutMs,
    iceServers: stunUrls.length === 0 ? [] : [{ urls: stunUrls }],
    iceServersFor: turn && ((subject, nowMs, notAfterMs) => [turnServer(turn, subject, nowMs, notAfterMs)]),
    iceLifeMs: turn === undefined ? 0 : turnTtlSeconds * 1_000,
    rates: {
      ...DEFAULT_RATES,
      announcesPerTrack: perMinute(settings.announcesPerMinutePerTrack),
      announces: perMinute(settings.announcesPerMinute),
      signals: perMinute(settings.signalsPerMinute),
      freshTargets: perMinute(settings.freshTargetsPerMinute),
      claims: perMinute(settings.claimsPerMinute),
      others: perMinute(settings.othersPerMinute),
      refusals: perMinute(settings.refusalsPerMinute),
    },
    maxMessageBytes: settings.maxMessageBytes,
    maxTracksPerPeer: settings.maxTracksPerPeer,
    maxShareOfOneAddress: settings.maxShareOfOneAddress,
    admission: auth === '' ? undefined : createAdmission(auth, wallMs),
    allowsTrack: (trackId) => (tracks.size === 0 || tracks.has(trackId)) && allowsTrack(trackId),
  };
}
