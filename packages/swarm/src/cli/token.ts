import { readFile } from 'node:fs/promises';
import { LIMITS } from '@sonantica/wire';
import { SwarmError } from '../errors.ts';
import type { TokenSource } from '../tracker/tracker-client.ts';
import { whyUnreadable } from './why-unreadable.ts';

/** Flags of both commands that say who is calling the tracker. */
export interface TokenFlags {
  readonly token?: string;
  readonly tokenFile?: string;
}

/**
 * Where the tracker's token comes from at each connection; a file is read anew. It is a function in any case: a tracker
 * that refuses is tried again, since its mind or the file may change. Rejects with `invalid-argument` where the file has no
 * token now.
 */
export async function tokenSource({ token, tokenFile }: TokenFlags): Promise<TokenSource> {
  if (tokenFile === undefined) return () => token;
  const read = () => readToken(tokenFile);
  await read();
  return read;
}

/** Whether a text can be a bearer token: printable, without spaces, of a bounded size. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && text.length <= LIMITS.maxTokenBytes;
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new SwarmError('invalid-argument', `the token file ${path} ${whyUnreadable(error)}`, error);
  });
  const token = text.trim();
  if (isToken(token)) return token;
  throw new SwarmError('invalid-argument', `the token file ${path} has no token`);
}
