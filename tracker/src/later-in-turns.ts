/** How long things wait, and how many are dealt with in one turn of the event loop. */
export interface LaterLimits {
  readonly afterMs: number;
  readonly perTurn: number;
}

/** What time is to {@link laterInTurns}. */
export interface LaterClock {
  nowMs(): number;
  /** Runs something once the event loop has turned. */
  nextTurn(run: () => void): void;
  /** Runs something after a time; nothing is kept alive for it. */
  later(run: () => void, ms: number): void;
}

const CLOCK: LaterClock = {
  nowMs: () => performance.now(),
  nextTurn: (run) => void setImmediate(run),
  later: (run, ms) => void setTimeout(run, ms).unref(),
};
/** Places of those who had their turn that are kept before the rest moves up. */
const MOST_EMPTY = 1_024;

/** Deals with what comes a while after it came, in the order in which it came, a few in each turn of the event loop. */
export function laterInTurns<Item>(
  handle: (item: Item) => void,
  { afterMs, perTurn }: LaterLimits,
  clock: LaterClock = CLOCK,
): (item: Item) => void {
  let waiting: ({ readonly item: Item; readonly dueMs: number } | undefined)[] = [];
  let next = 0;
  let isArmed = false;
  const turn = () => {
    isArmed = false;
    const nowMs = clock.nowMs();
    for (let left = perTurn; left > 0; left--) {
      const first = waiting[next];
      if (first === undefined || first.dueMs > nowMs) break;
      // Nobody is remembered for longer than it waits.
      waiting[next++] = undefined;
      handle(first.item);
    }
    if (next >= MOST_EMPTY || next === waiting.length) {
      waiting = waiting.slice(next);
      next = 0;
    }
    arm();
  };
  const arm = () => {
    const first = waiting[next];
    if (first === undefined || isArmed) return;
    isArmed = true;
    const ms = first.dueMs - clock.nowMs();
    if (ms > 0) clock.later(turn, Math.ceil(ms));
    else clock.nextTurn(turn);
  };
  return (item) => {
    waiting.push({ item, dueMs: clock.nowMs() + afterMs });
    arm();
  };
}
