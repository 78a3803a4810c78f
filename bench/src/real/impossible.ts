/** What makes a run impossible before it begins, in one line for people. */
export class Impossible extends Error {
  override readonly name = 'Impossible';
}
