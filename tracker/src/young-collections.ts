import { setFlagsFromString } from 'node:v8';

/** V8 collects the young generation when so much of it is in use, in per cent: as it is, and in a crowd. */
const USUALLY = 80;
const IN_A_CROWD = 10;

/**
 * Lets V8 collect the young generation ten times as often as it does by itself, and each time a tenth, or as often as
 * usual again. Of what a crowd of new connections leaves there most survives, and is copied: two milliseconds at a time,
 * in which nobody is heard. For the whole process.
 */
export function collectInSmallPieces(isSmall: boolean): void {
  setFlagsFromString(`--minor-gc-task-trigger=${isSmall ? IN_A_CROWD : USUALLY}`);
}
