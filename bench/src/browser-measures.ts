import type { Page } from 'playwright-core';

declare global {
  /** In the page: the library. */
  var sonantica: typeof import('@sonantica/swarm');
}

/** The track that is played. */
export const TRACK_ID = 'first-light-24-96';
/** A link has been there this long when it counts as warm, and a page is calm after it was loaded, in milliseconds. */
const WARM_MS = 2_500;

/** Where a page finds what it plays. */
export interface Place {
  readonly origin: string;
  readonly tracker?: string;
}

/** By the player alone, or with the library between. */
export type Way = 'http' | 'swarm';

/** Plays a second, jumps to where nothing was fetched. */
export function measureSeek(page: Page, way: Way, place: Place): Promise<number> {
  return page.evaluate(
    async ({ how, origin, id }) => {
      const player = document.querySelector('audio');
      if (player === null) throw new Error('no player');
      const swarm = globalThis.sonantica.createSwarm({ origin, serviceWorker: '/sonantica-worker.js' });
      player.src = how === 'http' ? `${origin}/${id}` : await swarm.open(id).url();
      await player.play();
      while (player.currentTime < 1) await new Promise((resolve) => setTimeout(resolve, 20));
      const begun = performance.now();
      const seeked = new Promise((resolve) => player.addEventListener('seeked', resolve, { once: true }));
      player.currentTime = 48;
      await seeked;
      return performance.now() - begun;
    },
    { how: way, origin: place.origin, id: TRACK_ID },
  );
}

/** By the player alone, or with the library between: what the Aula plays, or as if it played something else. */
export type BeginWay = Way | 'unforeseen';

/** From the listener's click to sound: the room was joined a while ago, the manifest of the track is not known yet. */
export function measureBeginning(page: Page, way: BeginWay, place: Place): Promise<number> {
  return page.evaluate(
    async ({ how, origin, tracker, id, warmMs }) => {
      const player = document.querySelector('audio');
      if (player === null) throw new Error('no player');
      const swarm = globalThis.sonantica.createSwarm({
        origin,
        ...(tracker === undefined ? {} : { tracker }),
        aulaId: 'bench',
        aulaHead: how === 'swarm',
        serviceWorker: '/sonantica-worker.js',
      });
      const warm = async () => {
        await swarm.open('lamplight-16-44').url();
        while (swarm.stats().links === 0) await new Promise((resolve) => setTimeout(resolve, 20));
        await new Promise((resolve) => setTimeout(resolve, warmMs));
      };
      if (how !== 'http') await warm();
      else {
        await swarm.close();
        await (await fetch(`${origin}/lamplight-16-44.manifest.json`)).arrayBuffer();
        // Either player begins in a page that has come to rest: while a page still loads, each takes half as long again.
        await new Promise((resolve) => setTimeout(resolve, warmMs));
      }
      const begun = performance.now();
      const playing = new Promise((resolve) => player.addEventListener('playing', resolve, { once: true }));
      player.src = how === 'http' ? `${origin}/${id}` : await swarm.open(id).url();
      void player.play();
      await playing;
      return performance.now() - begun;
    },
    { how: way, ...place, id: TRACK_ID, warmMs: WARM_MS },
  );
}

/** With the whole track held: how soon it plays. */
export function measureKept(page: Page, place: Place): Promise<number> {
  return page.evaluate(
    async ({ origin, id }) => {
      const player = document.querySelector('audio');
      if (player === null) throw new Error('no player');
      const swarm = globalThis.sonantica.createSwarm({ origin, serviceWorker: '/sonantica-worker.js' });
      const track = swarm.open(id);
      await track.download();
      const url = await track.url();
      const playing = new Promise((resolve) => player.addEventListener('playing', resolve, { once: true }));
      const begun = performance.now();
      player.src = url;
      void player.play();
      await playing;
      return performance.now() - begun;
    },
    { origin: place.origin, id: TRACK_ID },
  );
}

/** How long the whole track takes from a peer: by `http`, that is through the worker, or by `track.read`. */
export function measureRate(page: Page, way: Way, place: Place): Promise<number> {
  return page.evaluate(
    async ({ how, origin, tracker, id }) => {
      const swarm = globalThis.sonantica.createSwarm({
        origin,
        ...(tracker === undefined ? {} : { tracker }),
        aulaId: 'bench',
        serviceWorker: '/sonantica-worker.js',
        store: globalThis.sonantica.openMemoryStore(),
      });
      const track = swarm.open(id);
      const { size } = await track.manifest();
      const url = await track.url();
      while (track.stats().peers === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      const begun = performance.now();
      if (how === 'swarm') await track.read({ start: 0, end: size });
      else {
        const reader = (await fetch(url)).body?.getReader();
        while (reader !== undefined && !(await reader.read()).done);
      }
      return performance.now() - begun;
    },
    { how: way, ...place, id: TRACK_ID },
  );
}
