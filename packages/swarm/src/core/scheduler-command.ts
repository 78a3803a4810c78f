import type { SourceId } from './source-state.ts';
import type { DemandId } from './track-demand.ts';
import type { TrackKey } from './track-key.ts';

/** What the shell is to do. Times are on the scheduler's clock. */
export type SchedulerCommand =
  | {
      readonly type: 'fetch';
      readonly source: SourceId;
      readonly track: TrackKey;
      readonly chunk: number;
      readonly first: number;
      readonly count: number;
      readonly deadlineMs: number;
      /** Several blocks may come at a time. */
      readonly together: boolean;
    }
  | {
      readonly type: 'cancel';
      readonly source: SourceId;
      readonly track: TrackKey;
      readonly chunk: number;
      readonly first: number;
      readonly count: number;
    }
  /** Make a peer that owes blocks and is silent send something. */
  | { readonly type: 'nudge'; readonly source: SourceId }
  /** Ask the tracker for leave to fetch `most` of these from the origin. */
  | {
      readonly type: 'claim';
      readonly track: TrackKey;
      readonly chunks: readonly number[];
      readonly most: number;
    }
  /** Give the tracker's leave back: these are no longer fetched. */
  | { readonly type: 'release'; readonly track: TrackKey; readonly chunks: readonly number[] }
  /** Link to this peer: it holds or fetches what is wanted. */
  | { readonly type: 'connect'; readonly peerId: string }
  /** Tell the peers of this track what is being fetched. */
  | { readonly type: 'fetching'; readonly track: TrackKey; readonly chunk: number; readonly etaMs: number }
  /** Nobody can give what these demands want. */
  | { readonly type: 'unavailable'; readonly track: TrackKey; readonly demands: readonly DemandId[] };
