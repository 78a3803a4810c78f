import { Misuse } from './failure.ts';

/** Whether `--only` means a name: one that contains one of these texts, or any where none is given. */
export function isNamed(name: string, only: readonly string[] | undefined): boolean {
  return only?.some((text) => name.includes(text)) ?? true;
}

/** Throws {@link Misuse} for a text that is in none of the names: what is misspelt is not what passes. */
export function requireNamed(names: readonly string[], only: readonly string[] | undefined): void {
  const unknown = only?.find((text) => !names.some((name) => name.includes(text)));
  if (unknown !== undefined)
    throw new Misuse(`--only ${JSON.stringify(unknown)} names nothing. There are: ${names.join('; ')}`);
}
