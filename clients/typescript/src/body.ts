/**
 * Items of a program's own as the body of a submission.
 *
 * Up to some MiB are held and sent as one JSON request, which can be sent again. What is more becomes a
 * stream of NDJSON, made as the other side takes it.
 */
import { textOf } from "./json.js";
import { Source } from "./source.js";
import type { Items } from "./types.js";

const MOST_CHARACTERS = 4 * 1024 * 1024;
const MOST_ITEMS = 10_000;
const CHUNK_CHARACTERS = 64 * 1024;

export interface Opened {
  query: Readonly<Record<string, unknown>>;
  contentType: string;
  body: string | Blob | ReadableStream<Uint8Array>;
}

/** Where fetch takes a stream for a body by HTTP/1.1, too. Browsers do not. */
function takesStreams(): boolean {
  const known = globalThis as { process?: { versions?: { node?: string } }; Deno?: unknown; Bun?: unknown };
  return Boolean(known.process?.versions?.node ?? known.Deno ?? known.Bun);
}

/**
 * Let everything else have its turn. Items that are there at once, and a socket that takes them at once, would
 * not: an early refusal, an abort, and all that the program does besides, had to wait for the last item.
 */
function turn(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (then: () => void) => void };
  return new Promise((resolve) => (setImmediate ?? setTimeout)(resolve));
}

export class Body {
  readonly #anew: (() => Iterable<unknown> | AsyncIterable<unknown>) | null;
  readonly #fields: Readonly<Record<string, unknown>>;
  #source: Source;
  // The lines that were read before it was known what becomes of them; null once that is of no use.
  #head: string[] | null = [];
  #whole: string | Blob | null = null;
  /** What the items themselves threw while they were sent, in a box. */
  fault: { error: unknown } | null = null;

  private constructor(items: Items, fields: Readonly<Record<string, unknown>>) {
    const anew = typeof items === "function" ? items : Array.isArray(items) ? () => items : null;
    this.#anew = anew;
    this.#fields = fields;
    this.#source = new Source(anew === null ? (items as Exclude<Items, () => unknown>) : anew());
  }

  /** Reads the first of the items. Throws BadItem, what they throw, or the signal's reason. */
  static async of(
    items: Items,
    fields: Readonly<Record<string, unknown>>,
    signal: AbortSignal | undefined,
    streams: boolean = takesStreams(),
  ): Promise<Body> {
    const body = new Body(items, fields);
    let giveUp: (() => void) | undefined;
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = () => reject(signal?.reason);
      if (signal?.aborted) giveUp();
      else signal?.addEventListener("abort", giveUp, { once: true });
    });
    try {
      await Promise.race([givenUp, body.#begin(streams)]);
      return body;
    } catch (error) {
      body.close();
      throw error;
    } finally {
      if (giveUp !== undefined) signal?.removeEventListener("abort", giveUp);
    }
  }

  /** Whether `open` can be called once more. */
  get canBeSentAgain(): boolean {
    return this.fault === null && (this.#whole !== null || this.#head !== null || this.#anew !== null);
  }

  /** The request from its beginning. */
  open(): Opened {
    if (typeof this.#whole === "string") {
      return { query: {}, contentType: "application/json", body: this.#whole };
    }
    const body = this.#whole ?? this.#stream();
    return { query: this.#fields, contentType: "application/x-ndjson", body };
  }

  /** No more of the items is wanted. */
  close(): void {
    this.#source.close();
  }

  async #begin(streams: boolean): Promise<void> {
    const lines: string[] = (this.#head = []);
    let size = 0;
    for (;;) {
      const line = await this.#source.next();
      if (line === null) break;
      lines.push(line);
      size += line.length;
      if (size <= MOST_CHARACTERS && lines.length <= MOST_ITEMS) continue;
      if (!streams) this.#whole = await this.#blob(lines);
      return;
    }
    const fields = textOf(this.#fields).slice(0, -1);
    this.#whole = `${fields}${fields === "{" ? "" : ","}"items":[${lines.join(",")}]}`;
    this.#head = null;
  }

  async #blob(lines: string[]): Promise<Blob> {
    this.#head = null;
    // A browser may keep a Blob's parts elsewhere, but not a long list of short ones.
    const parts: Blob[] = [];
    for (;;) {
      parts.push(new Blob([lines.join("\n"), "\n"]));
      lines = [];
      let size = 0;
      while (size < MOST_CHARACTERS) {
        const line = await this.#source.next();
        if (line === null) {
          return lines.length === 0 ? new Blob(parts) : new Blob([...parts, lines.join("\n"), "\n"]);
        }
        lines.push(line);
        size += line.length;
      }
    }
  }

  #stream(): ReadableStream<Uint8Array> {
    if (this.#head === null && this.#anew !== null) {
      this.#source.close();
      this.#source = new Source(this.#anew());
      this.#head = [];
    }
    const source = this.#source;
    const encoder = new TextEncoder();
    let sent = 0;
    const next = async (): Promise<string | null> => {
      const line = this.#head?.[sent];
      if (line === undefined) {
        // From here on the beginning is gone, and is held no more.
        this.#head = null;
        return source.next();
      }
      sent += 1;
      return line;
    };
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      await turn();
      try {
        let text = "";
        let line: string | null = "";
        while (text.length < CHUNK_CHARACTERS && (line = await next()) !== null) text += `${line}\n`;
        if (text !== "") controller.enqueue(encoder.encode(text));
        if (line === null) controller.close();
      } catch (error) {
        this.fault = { error };
        source.close();
        controller.error(error);
      }
    };
    // Nothing is read before it can be sent.
    return new ReadableStream({ pull }, { highWaterMark: 0 });
  }
}
