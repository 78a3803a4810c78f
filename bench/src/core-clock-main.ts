import { watchClock, type Span } from './core-clock.ts';
import { answer } from './tracker-child.ts';

// Looks at the clock on one core, before everything else there, and notes when it could not.

/** What the bench tells it. */
export interface ToCoreClock {
  readonly type: 'watch';
  readonly forMs: number;
}

/** What it answers. */
export interface FromCoreClock {
  readonly type: 'watched';
  readonly gaps: readonly Span[];
}

answer<ToCoreClock, FromCoreClock>(({ forMs }) =>
  Promise.resolve({ type: 'watched', gaps: watchClock(forMs) }),
);
