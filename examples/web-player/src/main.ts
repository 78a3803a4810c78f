import '@fontsource-variable/inter/wght.css';
import '@fontsource-variable/newsreader/wght.css';
import '@fontsource-variable/newsreader/wght-italic.css';
import './style.css';
import { createSwarm } from '@sonantica/swarm';
import { formatQuality, formatTime } from './format.ts';
import { listTracks, type ListedTrack } from './library.ts';
import { element, say } from './page.ts';
import { firstAula, Participation } from './participation.ts';
import { findPlace } from './place.ts';
import { Player } from './player.ts';
import { nextTheme, readLanguage, readTheme, remember } from './preferences.ts';
import { TEXTS } from './text.ts';

/** How often figures are shown anew, in milliseconds. */
const SHOW_EVERY_MS = 500;
const TIERS = ['aula', 'global', 'origin', 'cache'] as const;

let language = readLanguage();
let theme = readTheme();
let tracks: ListedTrack[] = [];
let originAnswers = true;

const place = await findPlace();
const aula = firstAula(place.aula);
const swarm = createSwarm({
  tracker: place.tracker,
  origin: place.origin,
  serviceWorker: 'sonantica-worker.js',
  ...(aula === undefined ? {} : { aulaId: aula }),
});
const player = new Player(swarm, TEXTS[language], language);
const participation = new Participation(swarm, aula);

element('language', HTMLButtonElement).addEventListener('click', () => {
  language = language === 'en' ? 'es' : 'en';
  remember('language', language);
  speak();
});
element('theme', HTMLButtonElement).addEventListener('click', () => {
  theme = nextTheme(theme);
  remember('theme', theme);
  colour();
  speak();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => player.redraw());
swarm.on('contribution', () => show());

colour();
speak();
setInterval(show, SHOW_EVERY_MS);
await fill();

/** Fetches the library, and chooses its first track. */
async function fill(): Promise<void> {
  try {
    tracks = await listTracks(place.origin);
  } catch {
    originAnswers = false;
  }
  speak();
  const [first] = tracks;
  if (first !== undefined) await player.choose(first, false);
  speak();
}

function colour(): void {
  if (theme === 'auto') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.dataset['theme'] = theme;
  player.redraw();
}

function speak(): void {
  const text = TEXTS[language];
  document.documentElement.lang = language;
  say('language', text.otherLanguage);
  say('theme', text.theme[theme]);
  say('library-title', text.library);
  say('aula-title', text.aula);
  say('part-title', text.participation);
  say('creed', text.creed);
  element('legend', HTMLElement).replaceChildren(
    ...TIERS.map((tier) => {
      const item = document.createElement('li');
      item.dataset['tier'] = tier;
      item.textContent = text.tiers[tier];
      return item;
    }),
  );
  list();
  player.speak(text, language);
  show();
}

function list(): void {
  const text = TEXTS[language];
  const rows = tracks.map((track) => {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    const title = document.createElement('span');
    title.className = 'track-title';
    title.textContent = track.title ?? track.trackId;
    const facts = document.createElement('span');
    facts.className = 'track-facts';
    facts.textContent = formatQuality(track, text, language);
    const time = document.createElement('span');
    time.className = 'track-time';
    time.textContent = formatTime(track.audio?.durationSeconds ?? 0);
    button.append(title, facts, time);
    if (track.trackId === player.trackId) button.setAttribute('aria-current', 'true');
    button.addEventListener('click', () => {
      if (track.trackId === player.trackId) void player.toggle();
      else void player.choose(track, true);
      list();
    });
    item.append(button);
    return item;
  });
  if (rows.length === 0) {
    const item = document.createElement('li');
    item.className = 'note';
    item.textContent = originAnswers ? text.nothing : text.noOrigin;
    rows.push(item);
  }
  element('library', HTMLElement).replaceChildren(...rows);
}

function show(): void {
  player.show();
  participation.show(TEXTS[language], language);
}
