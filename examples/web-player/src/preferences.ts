import type { Language } from './text.ts';

/** Whether the page is light or dark. */
export type Theme = 'auto' | 'light' | 'dark';

const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];

/** The language of the address, of the last visit, or of the browser. */
export function readLanguage(): Language {
  const wanted = new URLSearchParams(location.search).get('lang') ?? recall('language') ?? navigator.language;
  return wanted.toLowerCase().startsWith('es') ? 'es' : 'en';
}

/** The theme of the address or of the last visit. */
export function readTheme(): Theme {
  const wanted = new URLSearchParams(location.search).get('theme') ?? recall('theme');
  return THEMES.find((theme) => theme === wanted) ?? 'auto';
}

/** The theme after this one. */
export function nextTheme(theme: Theme): Theme {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto';
}

/** Keeps a preference for the next visit, where the browser lets it. */
export function remember(name: 'language' | 'theme' | 'aula', value: string): void {
  try {
    localStorage.setItem(`sonantica:${name}`, value);
  } catch {
    // A page that may keep nothing begins anew each time.
  }
}

/** A preference of the last visit. */
export function recall(name: 'language' | 'theme' | 'aula'): string | undefined {
  try {
    return localStorage.getItem(`sonantica:${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}
