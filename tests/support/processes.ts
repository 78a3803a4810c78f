import { readdir, readFile } from 'node:fs/promises';

/** Everything a process started, and what that started. Linux's `/proc`. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const each of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const parent = await parentOf(each);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), each]);
  }
  const below = (of: number): number[] =>
    (children.get(of) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/** Whether none of them runs. */
export async function areGone(pids: readonly number[]): Promise<boolean> {
  const parents = await Promise.all(pids.map(parentOf));
  return parents.every((parent) => parent === undefined);
}

/** `undefined` for a process that is gone, or waits for nothing but that somebody takes note. */
async function parentOf(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === undefined || state === '' || state === 'Z' ? undefined : Number(parent);
}
