import type { AulaId, TrackId } from '@sonantica/wire';

/** What a token gives its bearer. */
export interface Rights {
  /** Whose token it is. */
  readonly subject: string;
  /** When the rights end, milliseconds since 1970. */
  readonly expiresMs: number;
  /** The Aulas it may enter; all where absent. */
  readonly aulas?: ReadonlySet<AulaId>;
  /** The tracks it may announce; all where absent. */
  readonly tracks?: ReadonlySet<TrackId>;
}

/** What became of a token. */
export type Verdict =
  | { readonly admitted: true; readonly rights: Rights }
  /** `reason` is for the bearer to read: it tells no secret. */
  | { readonly admitted: false; readonly reason: string };

/** Decides on tokens. */
export interface Admission {
  /** Looks at a token and calls `settle` once, now or later. Never throws. */
  admit(token: string | undefined, settle: (verdict: Verdict) => void): void;
}

/** Whether rights, or their absence on an open tracker, let their bearer into an Aula. */
export function mayEnter(rights: Rights | undefined, aulaId: AulaId): boolean {
  return rights?.aulas === undefined || rights.aulas.has(aulaId);
}

/** Whether rights, or their absence on an open tracker, let their bearer announce a track. */
export function mayAnnounce(rights: Rights | undefined, trackId: TrackId): boolean {
  return rights?.tracks === undefined || rights.tracks.has(trackId);
}
