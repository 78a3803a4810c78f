/** What was asked for cannot be done here: nothing was started, and the exit status is 2. */
export class Misuse extends Error {
  override readonly name = 'Misuse';
}

/** Ends the process with one clear line: status 2 where it was misused, 1 where a measurement failed. */
export function endWith(error: unknown): never {
  process.stderr.write(`sonantica-bench: ${lineOf(error)}\n`);
  process.exit(error instanceof Misuse ? 2 : 1);
}

/** An error in one line. Those of a connection tried at several addresses have no message of their own. */
export function lineOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '' && error.errors.length > 0)
    return lineOf(error.errors[0]);
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.split('\n', 1)[0] ?? '';
}
