import { InvalidArgumentError } from 'commander';
import { checkPublisherKeys } from '../ids.ts';
import { isToken } from './token.ts';

/** Exit status of every command. `brokenPipe`: who read standard output went away, 128 + SIGPIPE as shells have it. */
export const EXIT = { done: 0, failed: 1, misused: 2, brokenPipe: 141 } as const;

/** A WebSocket URL, for commander; repeated, trackers in order of preference. */
export function webSocketUrls(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), url(value, ['ws:', 'wss:'], 'ws://host:port or wss://host')];
}

/** An HTTP URL, for commander; repeated, mirrors in order. */
export function httpUrls(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), url(value, ['http:', 'https:'], 'http://host:port or https://host/path')];
}

/** A publisher's key, for commander; repeated, all whose manifests are believed. */
export function publisherKeys(value: string, earlier: readonly string[] | undefined): readonly string[] {
  try {
    checkPublisherKeys([value]);
  } catch {
    throw new InvalidArgumentError('Expected 32 bytes in base64, as sonantica-origin keygen prints them.');
  }
  return [...(earlier ?? []), value];
}

/** A tracker's token, for commander. */
export function token(value: string): string {
  if (isToken(value)) return value;
  throw new InvalidArgumentError('Expected a token: a JWT, say.');
}

/** A number that is not negative, for commander. */
export function amount(value: string): number {
  const number = Number(value);
  if (value.trim() !== '' && Number.isFinite(number) && number >= 0) return number;
  throw new InvalidArgumentError('Expected a number, 0 or more.');
}

function url(value: string, protocols: readonly string[], expected: string): string {
  try {
    if (protocols.includes(new URL(value).protocol)) return value;
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError(`Expected ${expected}.`);
}
