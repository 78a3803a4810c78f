import { newTurnTaker, Turns, type TurnLimits, type TurnTaker } from './turns.ts';

/** Deals with what comes in the order in which it comes, some of it in each turn of the event loop. */
export function inTurns<Item>(handle: (item: Item) => void, limits: TurnLimits): (item: Item) => void {
  const taker: TurnTaker<Item> = newTurnTaker();
  const turns = new Turns<Item, TurnTaker<Item>>(limits, {
    handle: (_taker, item) => handle(item),
    isLong: () => false,
    pause: () => {},
    resume: () => {},
    nextTurn: (run) => void setImmediate(run),
    later: (run, ms) => void setTimeout(run, ms),
    nowMs: () => performance.now(),
  });
  return (item) => turns.take(taker, item);
}
