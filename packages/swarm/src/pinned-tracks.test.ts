import { describe, expect, it } from 'vitest';
import { parseTrackId } from '@sonantica/wire';
import { PINNED_DOCUMENT, PinnedTracks } from './pinned-tracks.ts';
import { openMemoryStore } from './store/memory-store.ts';

const [first, second] = [parseTrackId('first'), parseTrackId('second')];

describe('pinned tracks', () => {
  it('are pinned at once and after a restart, until they are unpinned', async () => {
    const store = openMemoryStore();
    const pinned = new PinnedTracks(store);
    const written = [pinned.set(first, true), pinned.set(second, true)];
    expect(pinned.ids).toEqual([first, second]);
    await Promise.all(written);
    expect(pinned.has(first)).toBe(true);

    const after = new PinnedTracks(store);
    await after.load();
    expect(after.ids).toEqual([first, second]);
    const gone = after.set(first, false);
    expect(after.has(first)).toBe(false);
    await gone;
    expect(after.ids).toEqual([second]);
    const last = new PinnedTracks(store);
    await last.load();
    expect(last.ids).toEqual([second]);
  });

  it('obey the last word on a track', async () => {
    const pinned = new PinnedTracks(openMemoryStore());
    await Promise.all([pinned.set(first, true), pinned.set(first, false), pinned.set(first, true)]);
    expect(pinned.ids).toEqual([first]);
  });

  it('keep what another instance with the same store pinned meanwhile', async () => {
    const store = openMemoryStore();
    const [one, other] = [new PinnedTracks(store), new PinnedTracks(store)];
    await one.set(first, true);
    await other.set(second, true);
    await one.load();
    expect(one.ids).toEqual([first, second]);
  });

  it('are not pinned when that could not be written down', async () => {
    const store = openMemoryStore();
    const pinned = new PinnedTracks({
      ...store,
      putDocument: () => Promise.reject(new Error('no disk')),
      getDocument: () => Promise.resolve(undefined),
    });
    await expect(pinned.set(first, true)).rejects.toThrow('no disk');
    expect(pinned.has(first)).toBe(false);
  });

  it('are what was known before where the document is damaged, which the next one repairs', async () => {
    const store = openMemoryStore();
    const pinned = new PinnedTracks(store);
    await pinned.set(first, true);
    await store.putDocument(PINNED_DOCUMENT, null);
    await pinned.load();
    expect(pinned.ids).toEqual([first]);
    await pinned.set(second, true);
    expect(await store.getDocument(PINNED_DOCUMENT)).toEqual([first, second]);
  });

  it.each([[undefined], [null], [{}], ['first'], [[1, '', null, 'no track id']]])(
    'leave out what is none: %j',
    async (document) => {
      const store = openMemoryStore();
      if (document !== undefined) await store.putDocument(PINNED_DOCUMENT, document);
      const pinned = new PinnedTracks(store);
      await pinned.load();
      expect(pinned.ids).toEqual([]);
    },
  );
});
