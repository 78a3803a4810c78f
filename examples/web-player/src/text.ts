/** The languages of the page. */
export type Language = 'en' | 'es';

/** All that the page says. */
export interface Text {
  readonly otherLanguage: string;
  readonly theme: Readonly<Record<'auto' | 'light' | 'dark', string>>;
  readonly play: string;
  readonly pause: string;
  readonly seek: string;
  readonly library: string;
  readonly nothing: string;
  readonly aula: string;
  readonly aulaLabel: string;
  readonly join: string;
  readonly leave: string;
  aulaJoined(name: string, links: number): string;
  readonly aulaNone: string;
  readonly aulaInvalid: string;
  readonly aulaAlone: string;
  readonly participation: string;
  readonly takePart: string;
  readonly partOn: string;
  readonly partOff: string;
  readonly give: string;
  readonly giveOn: string;
  readonly giveOff: string;
  figures(given: string, limit: string, kept: string, most: string): string;
  readonly tiers: Readonly<Record<'aula' | 'global' | 'origin' | 'cache', string>>;
  from(
    parts: readonly { readonly tier: 'aula' | 'global' | 'origin' | 'cache'; readonly size: string }[],
  ): string;
  readonly nothingYet: string;
  ahead(seconds: number): string;
  channels(count: number): string;
  readonly bits: string;
  readonly viaBlob: string;
  readonly viaOrigin: string;
  readonly noOrigin: string;
  readonly notPlayable: string;
  readonly creed: string;
}

const english: Text = {
  otherLanguage: 'Español',
  theme: { auto: 'As the system', light: 'Light', dark: 'Dark' },
  play: 'Play',
  pause: 'Pause',
  seek: 'Position',
  library: 'Library',
  nothing: 'There is no music here yet.',
  aula: 'Aula',
  aulaLabel: 'Name of the Aula',
  join: 'Enter',
  leave: 'Leave',
  aulaJoined: (name, links) =>
    links === 0
      ? `You are in “${name}”. Nobody else is linked yet.`
      : `You are in “${name}”, linked to ${links === 1 ? 'one listener' : `${links} listeners`}.`,
  aulaNone: 'An Aula is a listening room. Its members are each other’s first source.',
  aulaInvalid: 'Letters, digits, dots and dashes make a name.',
  aulaAlone: 'With the server alone there is no Aula.',
  participation: 'Participation',
  takePart: 'Listen with others',
  partOn: 'Music comes from other listeners first. They see your network address, as you see theirs.',
  partOff: 'Everything comes from the server. No other listener sees you.',
  give: 'Give back',
  giveOn: 'What you have heard is passed on, within your limits.',
  giveOff:
    'You give nothing. This is not privacy: those you take from still see your address. To be unseen, turn off “Listen with others”.',
  figures: (given, limit, kept, most) => `Given today: ${given} of ${limit}.\nKept here: ${kept} of ${most}.`,
  tiers: { aula: 'your Aula', global: 'other listeners', origin: 'the server', cache: 'kept here' },
  from: (parts) =>
    parts
      .map(({ tier, size }) =>
        tier === 'cache' ? `${size} kept here` : `${size} from ${english.tiers[tier]}`,
      )
      .join(', '),
  nothingYet: 'Nothing has been fetched yet.',
  ahead: (seconds) => `${seconds}\u00a0s\u00a0ahead`,
  channels: (count) => (count === 1 ? 'mono' : count === 2 ? 'stereo' : `${count} channels`),
  bits: 'bit',
  viaBlob: 'This browser gives the page no service worker: the track is fetched whole before it plays.',
  viaOrigin: 'This browser gives the page no service worker: the track plays from the server alone.',
  noOrigin: 'The server does not answer. What is kept here can still be played.',
  notPlayable: 'This track cannot be played now.',
  creed: 'Respect the intention of the sound and the freedom of the listener.',
};

const spanish: Text = {
  otherLanguage: 'English',
  theme: { auto: 'Como el sistema', light: 'Claro', dark: 'Oscuro' },
  play: 'Reproducir',
  pause: 'Pausar',
  seek: 'Posición',
  library: 'Biblioteca',
  nothing: 'Aquí todavía no hay música.',
  aula: 'Aula',
  aulaLabel: 'Nombre del Aula',
  join: 'Entrar',
  leave: 'Salir',
  aulaJoined: (name, links) =>
    links === 0
      ? `Estás en «${name}». Aún no hay nadie más enlazado.`
      : `Estás en «${name}», en enlace con ${links === 1 ? 'un oyente' : `${links} oyentes`}.`,
  aulaNone: 'Un Aula es una sala de escucha. Sus miembros son, unos para otros, la primera fuente.',
  aulaInvalid: 'Un nombre se forma con letras, cifras, puntos y guiones.',
  aulaAlone: 'Con el servidor solo no hay Aula.',
  participation: 'Participación',
  takePart: 'Escuchar con otros',
  partOn: 'La música viene primero de otros oyentes. Ellos ven tu dirección de red, como tú la suya.',
  partOff: 'Todo viene del servidor. Ningún otro oyente te ve.',
  give: 'Compartir',
  giveOn: 'Lo que has escuchado pasa a otros, dentro de tus límites.',
  giveOff:
    'No das nada. Esto no es privacidad: aquellos de quienes recibes siguen viendo tu dirección. Para no ser visto, apaga «Escuchar con otros».',
  figures: (given, limit, kept, most) =>
    `Dado hoy: ${given} de ${limit}.\nGuardado aquí: ${kept} de ${most}.`,
  tiers: { aula: 'tu Aula', global: 'otros oyentes', origin: 'el servidor', cache: 'guardado aquí' },
  from: (parts) =>
    parts
      .map(({ tier, size }) =>
        tier === 'cache'
          ? `${size} guardados aquí`
          : tier === 'origin'
            ? `${size} del servidor`
            : `${size} de ${spanish.tiers[tier]}`,
      )
      .join(', '),
  nothingYet: 'Aún no se ha traído nada.',
  ahead: (seconds) => `${seconds}\u00a0s por\u00a0delante`,
  channels: (count) => (count === 1 ? 'mono' : count === 2 ? 'estéreo' : `${count} canales`),
  bits: 'bits',
  viaBlob: 'Este navegador no da a la página un «service worker»: la pista se trae entera antes de sonar.',
  viaOrigin: 'Este navegador no da a la página un «service worker»: la pista suena desde el servidor solo.',
  noOrigin: 'El servidor no responde. Lo guardado aquí aún puede sonar.',
  notPlayable: 'Esta pista no puede sonar ahora.',
  creed: 'Respetar la intención del sonido y la libertad de quien escucha.',
};

/** What the page says in a language. */
export const TEXTS: Readonly<Record<Language, Text>> = { en: english, es: spanish };
