/** Where the tracker and the origin are, and which Aula to begin in. */
export interface Place {
  readonly tracker: string;
  readonly origin: string;
  readonly aula: string;
}

/**
 * Read from `place.json` beside the page, each part of it over-ruled by the address: `?tracker=…&origin=…&aula=…`.
 * Without either, the addresses that `npm start` uses.
 */
export async function findPlace(search = new URLSearchParams(location.search)): Promise<Place> {
  const file = await readPlaceFile();
  const part = (name: keyof Place, usual: string): string => search.get(name) ?? file[name] ?? usual;
  const host = location.hostname === '' ? '127.0.0.1' : location.hostname;
  return {
    tracker: part('tracker', `ws://${host}:7000`),
    origin: part('origin', `http://${host}:7001`),
    aula: part('aula', 'red'),
  };
}

async function readPlaceFile(): Promise<Partial<Record<keyof Place, string>>> {
  try {
    const response = await fetch('place.json', { cache: 'no-store' });
    return response.ok ? ((await response.json()) as Partial<Record<keyof Place, string>>) : {};
  } catch {
    // A page built for one place needs no file.
    return {};
  }
}
