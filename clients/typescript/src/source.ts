/** Items, one after the other, as lines of JSON. */
import { BadItem } from "./errors.js";
import { textOf } from "./json.js";

const WANTED = "items: an array, an iterable, an async iterable, or a function that gives one";

export class Source {
  readonly #items: Iterator<unknown> | AsyncIterator<unknown>;
  #index = 0;
  #ended = false;

  constructor(items: Iterable<unknown> | AsyncIterable<unknown>) {
    // A string is an iterable, too: of its characters, which nobody means.
    if (typeof items !== "object" || items === null) throw new TypeError(WANTED);
    if (Symbol.asyncIterator in items) this.#items = items[Symbol.asyncIterator]();
    else if (Symbol.iterator in items) this.#items = items[Symbol.iterator]();
    else throw new TypeError(WANTED);
  }

  /** The next line without its end; null behind the last. Throws BadItem, and what the items throw. */
  async next(): Promise<string | null> {
    if (this.#ended) return null;
    let step: IteratorResult<unknown>;
    try {
      step = await this.#items.next();
    } catch (error) {
      this.#ended = true;
      throw error;
    }
    if (step.done) {
      this.#ended = true;
      return null;
    }
    const index = this.#index;
    this.#index += 1;
    try {
      return textOf(step.value);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new BadItem(`Item ${index} cannot be sent: ${why}`, index, { cause });
    }
  }

  /** Tell the items that no more is wanted. Does not wait for them: they may hang. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    try {
      void Promise.resolve(this.#items.return?.()).catch(() => undefined);
    } catch {
      // Whoever gives up wants to hear why, not what went wrong besides.
    }
  }
}
