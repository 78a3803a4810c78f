import { platform } from '#platform';

/** Where the library's diary goes: one line an event, for people who look for a fault. */
export type Logger = (line: string) => void;

/** Writes with `DEBUG=sonantica:*` (an environment variable in Node, `localStorage.debug` in browsers). */
export const debugLogger: Logger = (line) => platform.log(line);
