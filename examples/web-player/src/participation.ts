import { DEFAULT_CONTRIBUTION, SERVER_ONLY, type Contribution, type Swarm } from '@sonantica/swarm';
import { formatSize } from './format.ts';
import { element, say } from './page.ts';
import { recall, remember } from './preferences.ts';
import type { Language, Text } from './text.ts';

/** The lower part of the page: the Aula, and what the listener gives and takes. */
export class Participation {
  readonly #swarm: Swarm;
  readonly #part = element('part', HTMLInputElement);
  readonly #give = element('give', HTMLInputElement);
  readonly #aulaId = element('aula-id', HTMLInputElement);
  #aula: string | undefined;
  #isInvalid = false;

  constructor(swarm: Swarm, aula: string | undefined) {
    this.#swarm = swarm;
    this.#aula = aula;
    this.#aulaId.value = aula ?? '';
    this.#part.addEventListener('change', () => void this.#choose());
    this.#give.addEventListener('change', () => void this.#choose());
    element('aula', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#enterOrLeave();
    });
    this.#aulaId.addEventListener('input', () => (this.#isInvalid = false));
  }

  show(text: Text, language: Language): void {
    const { p2pEnabled, maxBandwidthMBPerDay, maxStorageGB } = this.#swarm.contribution;
    const gives = maxBandwidthMBPerDay > 0;
    this.#part.checked = p2pEnabled;
    this.#give.checked = gives;
    element('give-row', HTMLElement).hidden = !p2pEnabled;
    element('give-note', HTMLElement).hidden = !p2pEnabled;
    element('part-figures', HTMLElement).hidden = !p2pEnabled;
    say('part-label', text.takePart);
    say('part-note', p2pEnabled ? text.partOn : text.partOff);
    say('give-label', text.give);
    say('give-note', gives ? text.giveOn : text.giveOff);
    const { uploadLeftBytes, storedBytes, links } = this.#swarm.stats();
    const limit = maxBandwidthMBPerDay * 1e6;
    const size = (bytes: number) => formatSize(bytes, language);
    say(
      'part-figures',
      text.figures(
        size(limit - Math.min(limit, uploadLeftBytes)),
        size(limit),
        size(storedBytes),
        size(maxStorageGB * 1e9),
      ),
    );
    this.#aulaId.setAttribute('aria-label', text.aulaLabel);
    this.#aulaId.disabled = this.#aula !== undefined || !p2pEnabled;
    const join = element('aula-join', HTMLButtonElement);
    join.disabled = !p2pEnabled;
    say('aula-join', this.#aula === undefined ? text.join : text.leave);
    const aula = this.#aula === undefined ? text.aulaNone : text.aulaJoined(this.#aula, links);
    say('aula-note', this.#isInvalid ? text.aulaInvalid : p2pEnabled ? aula : text.aulaAlone);
  }

  /** Two switches, three choices: with others, without giving, the server alone. */
  async #choose(): Promise<void> {
    const gives = this.#give.checked ? DEFAULT_CONTRIBUTION.maxBandwidthMBPerDay : 0;
    const before = this.#swarm.contribution;
    let choice: Partial<Contribution>;
    if (!this.#part.checked) choice = SERVER_ONLY;
    else if (!before.p2pEnabled) choice = DEFAULT_CONTRIBUTION;
    else choice = { maxBandwidthMBPerDay: gives };
    await this.#swarm.setContribution(choice);
  }

  async #enterOrLeave(): Promise<void> {
    if (this.#aula !== undefined) {
      await this.#swarm.leaveAula();
      this.#aula = undefined;
      remember('aula', '');
      this.#aulaId.disabled = false;
      this.#aulaId.focus();
      return;
    }
    const name = this.#aulaId.value.trim();
    if (name === '') return;
    try {
      await this.#swarm.joinAula(name);
      this.#aula = name;
      remember('aula', name);
    } catch {
      this.#isInvalid = true;
    }
  }
}

/** The Aula of the address, of the last visit, or the usual one; `undefined` for none. */
export function firstAula(usual: string): string | undefined {
  const aula = new URLSearchParams(location.search).get('aula') ?? recall('aula') ?? usual;
  return aula === '' ? undefined : aula;
}
