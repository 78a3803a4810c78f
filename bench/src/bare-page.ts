import type { Browser, CDPSession } from 'playwright-core';

interface Answer {
  readonly id?: number;
  readonly error?: { readonly message: string };
  readonly result?: {
    readonly result?: { readonly value?: unknown };
    readonly exceptionDetails?: {
      readonly text: string;
      readonly exception?: { readonly description?: string };
    };
  };
}

/**
 * A page that nobody watches. A page that Playwright drives keeps every body it fetches, for its network log: its
 * memory says little of what a listener's takes.
 */
export class BarePage {
  readonly #devtools: CDPSession;
  readonly #targetId: string;
  readonly #sessionId: string;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #nextId = 1;

  private constructor(devtools: CDPSession, targetId: string, sessionId: string) {
    this.#devtools = devtools;
    this.#targetId = targetId;
    this.#sessionId = sessionId;
    devtools.on('Target.receivedMessageFromTarget', ({ sessionId: from, message }) => {
      if (from !== sessionId) return;
      const answer = JSON.parse(message) as Answer;
      if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer);
    });
  }

  /** Opens `url`; resolves when `ready`, an expression, is true there. */
  static async open(browser: Browser, url: string, ready: string): Promise<BarePage> {
    const devtools = await browser.newBrowserCDPSession();
    const { targetId } = await devtools.send('Target.createTarget', { url });
    const { sessionId } = await devtools.send('Target.attachToTarget', { targetId, flatten: false });
    const page = new BarePage(devtools, targetId, sessionId);
    while ((await page.evaluate<boolean>(ready)) !== true)
      await new Promise((resolve) => setTimeout(resolve, 50));
    return page;
  }

  /** What an expression gives there, awaited; it has to be JSON. Rejects with what it throws. */
  async evaluate<T>(expression: string): Promise<T> {
    const id = this.#nextId++;
    const params = { expression, awaitPromise: true, returnByValue: true };
    const message = JSON.stringify({ id, method: 'Runtime.evaluate', params });
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    await this.#devtools.send('Target.sendMessageToTarget', { sessionId: this.#sessionId, message });
    const { error, result } = await answered;
    this.#waiting.delete(id);
    const thrown = result?.exceptionDetails;
    if (error !== undefined || thrown !== undefined)
      throw new Error(error?.message ?? thrown?.exception?.description ?? thrown?.text);
    return result?.result?.value as T;
  }

  async close(): Promise<void> {
    await this.#devtools.send('Target.closeTarget', { targetId: this.#targetId });
    await this.#devtools.detach();
  }
}
