/** What a step came to: something that a promise may have waited for, nothing of the kind, or the end. */
export type StepOutcome = 'stirred' | 'quiet' | 'over';

/** So often at least the process has a turn of its event loop, in steps: it hears of Ctrl-C and of its timers there. */
const TURN_EVERY = 1_024;

/**
 * Takes step after step until one says that it is over. Before the next one every promise has settled that can, where
 * something stirred; what waits for a timer, a tick or real I/O is not waited for. Rejects with what a step throws.
 */
export function stepByStep(step: () => StepOutcome): Promise<void> {
  return new Promise((resolve, reject) => {
    const settled = Promise.resolve();
    let left = TURN_EVERY;
    const go = () => {
      try {
        for (let outcome = step(); outcome !== 'over'; outcome = step()) {
          if (--left <= 0) {
            left = TURN_EVERY;
            setImmediate(go);
            return;
          }
          if (outcome === 'stirred') {
            void settled.then(goWhenSettled);
            return;
          }
        }
        resolve();
      } catch (error) {
        reject(error);
      }
    };
    // What a microtask puts off to the next tick runs when no microtask is left. A turn of the event loop costs ten times as much.
    const goWhenSettled = () => process.nextTick(go);
    go();
  });
}
