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
let rows: readonly Row[] = [];
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
    rows = (await listTracks(place.origin)).map(makeRow);
    element('library', HTMLElement).replaceChildren(...rows.map(({ item }) => item));
  } catch {
    originAnswers = false;
  }
  speak();
  const [first] = rows;
  if (first !== undefined) await player.choose(first.track, false);
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

/** A track's row, and what of it is written anew when the language or the track that plays changes. */
interface Row {
  readonly track: ListedTrack;
  readonly item: HTMLLIElement;
  readonly button: HTMLButtonElement;
  readonly facts: HTMLSpanElement;
}

function makeRow(track: ListedTrack): Row {
  const item = document.createElement('li');
  const button = document.createElement('button');
  button.type = 'button';
  const title = document.createElement('span');
  title.className = 'track-title';
  title.textContent = track.title ?? track.trackId;
  const facts = document.createElement('span');
  facts.className = 'track-facts';
  const time = document.createElement('span');
  time.className = 'track-time';
  time.textContent = formatTime(track.audio?.durationSeconds ?? 0);
  button.append(title, facts, time);
  button.addEventListener('click', () => {
    if (track.trackId === player.trackId) void player.toggle();
    else void player.choose(track, true);
    list();
  });
  item.append(button);
  return { track, item, button, facts };
}

/** Rows stay where they are: of one that is replaced while it is pressed the browser makes no click. */
function list(): void {
  const text = TEXTS[language];
  for (const { track, button, facts } of rows) {
    facts.textContent = formatQuality(track, text, language);
    if (track.trackId === player.trackId) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
  if (rows.length > 0) return;
  const note = document.createElement('li');
  note.className = 'note';
  note.textContent = originAnswers ? text.nothing : text.noOrigin;
  element('library', HTMLElement).replaceChildren(note);
}

function show(): void {
  player.show();
  participation.show(TEXTS[language], language);
}
