/** Batchline for programs: submit, wait, read what became of it. */
import { Body } from "./body.js";
import { eventsOf } from "./events.js";
import { pause } from "./deadline.js";
import { ApiError, NotEnded } from "./errors.js";
import { grouped } from "./failures.js";
import { textOf } from "./json.js";
import type { Answer, Entry, Method, Options, PagedPath, PathOf, Rest } from "./operations.js";
import { untilAnswered, type Resending } from "./resending.js";
import { resultsOf } from "./results.js";
import { secondsOf, segment, Transport, type Ask, type Fetch } from "./transport.js";
import {
  hasEnded,
  type Abortable,
  type Batch,
  type BatchEvent,
  type CancelChoice,
  type Failure,
  type Item,
  type ItemFilters,
  type Items,
  type Limited,
  type ResultFilters,
  type RetryChoice,
  type Selected,
  type SubmissionFields,
  type SubmitOptions,
  type Try,
} from "./types.js";
import { newKey } from "./webcrypto.js";

const WAIT_SECONDS = 20;
const SILENCE_SECONDS = 60;
const PAGE = 1000;
const UNSUCCESSFUL = ["INVALID", "FAILED"] as const;

export interface ClientOptions {
  /** How often a request is sent at most whose answer is lost or 503: 6 times unless said. */
  tries?: number;
  /** Seconds before the second try; twice as long before each further one. Half a second unless said. */
  pauseSeconds?: number;
  /** In place of the platform's: one with a proxy, or other time limits. */
  fetch?: Fetch;
  /** In place of JSON.parse: one that keeps integers beyond 2^53 exact, say. */
  parse?: (text: string) => unknown;
}

/**
 * One client of one Batchline. It holds nothing that has to be closed; any number of calls may be under
 * way at a time.
 *
 * Every method throws ApiError, which has `status` (HTTP's; 0 where no answer came) and `problem` (the RFC
 * 9457 document); and the reason of its `signal`, once that is aborted. Iterators end their connection
 * when they are left early.
 */
export class Client {
  readonly #transport: Transport;
  readonly #resending: Resending;
  #longestWait = WAIT_SECONDS;

  /** `url`: its address, without `/v1`. `secret`: of one of the client's keys. */
  constructor(url: string, secret: string, options: ClientOptions = {}) {
    const { tries = 6, pauseSeconds = 0.5, parse = JSON.parse as (text: string) => unknown } = options;
    if (!/^https?:\/\/./.test(url)) {
      throw new TypeError(`"${url}" is no address: it begins with https:// or http://`);
    }
    // Told now, and not by the first request.
    new Headers({ Authorization: `Bearer ${secret}` });
    if (!(tries >= 1)) throw new RangeError("tries: at least 1");
    if (!(pauseSeconds >= 0)) throw new RangeError("pauseSeconds: not below 0");
    // A method of `options`, or of the window, wants its own `this`.
    const fetch: Fetch = (address, init) => (options.fetch ?? globalThis.fetch)(address, init);
    this.#transport = new Transport(url.replace(/\/+$/, ""), secret, fetch, (text) => parse(text));
    this.#resending = { tries, pauseSeconds };
  }

  /**
   * Submit a batch and return it as it was accepted.
   *
   * `operation`: what is to be done with the items; null where each names its own. `items`: an array, an
   * iterable or async iterable of JSON values, or a function that gives one. Some MiB are held in memory;
   * what is more is streamed as fast as it is taken. `options`: the fields of a submission (`name`, `start`,
   * `scheduledAt`, `metadata`, …); null and undefined are left out.
   *
   * A lost answer or a 503 is sent again under the same `Idempotency-Key`, so that nothing is submitted
   * twice; what was streamed from an iterable that is no array and no function is gone, and then throws
   * ApiError, with `idempotencyKey`. Throws BadItem, and what the items throw; then nothing was submitted.
   */
  async submit(
    operation: string | null,
    items: Items,
    options: SubmissionFields & SubmitOptions = {},
  ): Promise<Batch> {
    const { idempotencyKey, signal, ...fields } = options;
    const key = idempotencyKey ?? (await newKey());
    const given = Object.entries({ operation, ...fields }).filter(([, value]) => value != null);
    const body = await Body.of(items, Object.fromEntries(given), signal);
    const send = async (): Promise<Batch> => {
      const { query, contentType, body: content } = body.open();
      const headers = { "Content-Type": contentType, "Idempotency-Key": key };
      const { json } = await this.#transport.ask({
        ...{ method: "POST", path: "/v1/batches", query, headers, body: content, signal },
        // It is answered after its commit, and millions of items take a while to copy.
        silence: null,
      });
      return json as Batch;
    };
    try {
      return await untilAnswered(send, this.#resending, signal, () => body.canBeSentAgain);
    } catch (error) {
      if (body.fault !== null) throw body.fault.error;
      if (error instanceof ApiError) error.idempotencyKey = key;
      throw error;
    } finally {
      body.close();
    }
  }

  /** The batch as it is now. */
  batch(id: string, { signal }: Abortable = {}): Promise<Batch> {
    return this.#get(`/v1/batches/${segment(id)}`, {}, signal) as Promise<Batch>;
  }

  /**
   * The batch once it has ended, and no long action goes on with it.
   *
   * `timeoutSeconds`: how long to wait for that, without it as long as it takes. Throws NotEnded, which has
   * the batch as it is then.
   */
  async wait(id: string, options: Abortable & { timeoutSeconds?: number | undefined } = {}): Promise<Batch> {
    const { signal, timeoutSeconds = Infinity } = options;
    const path = `/v1/batches/${segment(id)}`;
    const deadline = now() + timeoutSeconds;
    for (;;) {
      const seconds = Math.floor(Math.min(this.#longestWait, Math.max(0, deadline - now())));
      const began = now();
      const { batch, retryAfter } = await this.#waited(path, seconds, signal);
      if (batch !== null && hasEnded(batch)) return batch;
      const left = deadline - now();
      if (left <= 0) {
        const last = await this.batch(id, { signal });
        if (hasEnded(last)) return last;
        throw new NotEnded(`The batch has not ended within ${timeoutSeconds} s.`, last);
      }
      // Where the server did not hold the answer, it says when to ask again.
      if (now() - began < Math.max(1, seconds) / 2) await pause(Math.min(retryAfter, left), signal);
    }
  }

  /** A batch's items in index order, page by page as they are asked for. */
  items(id: string, options: ItemFilters & Limited & Abortable = {}): AsyncGenerator<Item, void, undefined> {
    return this.#pages<Item>(itemsOf(id), options);
  }

  /** What went wrong with items of the batch: alike ones together, the most frequent first. */
  async *failures(id: string, options: Limited & Abortable = {}): AsyncGenerator<Failure, void, undefined> {
    try {
      return yield* this.#pages<Failure>(`/v1/batches/${segment(id)}/failures`, options);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
    // A server that does not group them, or no such batch.
    const { limit, signal } = options;
    await this.batch(id, { signal });
    const items = this.#unsuccessful(id, signal);
    yield* (await grouped(items)).slice(0, limit);
  }

  /**
   * Give an item another input, and return it as it is then; nothing is run. Of an item that did not succeed,
   * in a batch that has ended, or of any in an OPEN one; else ApiError with status 409.
   */
  async editItem(id: string, index: number, input: object, { signal }: Abortable = {}): Promise<Item> {
    const headers = { "Content-Type": "application/json" };
    // To send it again changes nothing more.
    const { json } = await this.#ask({
      ...{ method: "PATCH", path: `${itemsOf(id)}/${index}`, headers, body: textOf({ input }) },
      ...{ signal, silence: SILENCE_SECONDS },
    });
    return json as Item;
  }

  /** An item's tries, the oldest first, each with the input that it ran on; what it came to is the last. */
  history(id: string, index: number, options: Limited & Abortable = {}): AsyncGenerator<Try, void, undefined> {
    return this.#pages<Try>(`${itemsOf(id)}/${index}/history`, options);
  }

  /**
   * Run items of a batch that has ended again, in the order of their keys: of those chosen, what did not
   * succeed; ApiError with status 409 where that is none. A lost answer is not asked for again.
   */
  retryItems(id: string, chosen: RetryChoice, { signal }: Abortable = {}): Promise<Selected> {
    const path = { batch_id: id };
    return this.request("POST", "/v1/batches/{batch_id}/items/retry", { path, body: chosen, signal });
  }

  /** End items CANCELED that are PENDING, of a batch that has not ended; else as `retryItems`. */
  cancelItems(id: string, chosen: CancelChoice, { signal }: Abortable = {}): Promise<Selected> {
    const path = { batch_id: id };
    return this.request("POST", "/v1/batches/{batch_id}/items/cancel", { path, body: chosen, signal });
  }

  /**
   * All of a batch's items, as one stream that goes on where it was if it breaks off. Of a batch that still
   * runs, each is told as it is when its turn comes. `after`: an index to begin behind.
   */
  results(id: string, options: ResultFilters & Abortable = {}): AsyncGenerator<Item, void, undefined> {
    return resultsOf(this.#transport, this.#resending, id, options);
  }

  /**
   * How the batch stands, whenever that changes; the last event is `finished`. A connection that breaks is
   * made again. `lastEventId`: the `id` of the last event that came, in an earlier run of your program, say.
   */
  events(
    id: string,
    options: Abortable & { lastEventId?: string | undefined } = {},
  ): AsyncGenerator<BatchEvent, void, undefined> {
    return eventsOf(this.#transport, this.#resending, id, options);
  }

  /**
   * Any other request of the API, by the types of its document; what it answers as JSON, undefined for none:
   *
   *     await client.request("POST", "/v1/batches/{batch_id}/retry", { path: { batch_id: id } });
   *
   * One that only reads, or has an `idempotencyKey`, is sent again where its answer is lost or a 503.
   */
  async request<M extends Method, P extends PathOf<M>>(
    method: M,
    path: P,
    ...rest: Rest<Options<M, P>>
  ): Promise<Answer<M, P>> {
    const options = (rest[0] ?? {}) as Loose;
    const headers: Record<string, string> = { ...options.headers };
    if (options.idempotencyKey !== undefined) headers["Idempotency-Key"] = options.idempotencyKey;
    const ask: Ask = {
      ...{ method, path: filled(path, options.path), query: options.query, headers },
      ...{ signal: options.signal, silence: SILENCE_SECONDS + Number(options.query?.["wait"] ?? 0) },
    };
    if (options.body !== undefined) {
      ask.body = textOf(options.body);
      headers["Content-Type"] ??= "application/json";
    }
    const again = method === "GET" || options.idempotencyKey !== undefined;
    const { json } = await this.#ask(ask, again);
    return json as Answer<M, P>;
  }

  /** The entries of any list that has pages, fetched page by page as they are asked for. */
  pages<P extends PagedPath>(
    path: P,
    ...rest: Rest<Options<"GET", P> & Limited>
  ): AsyncGenerator<Entry<P>, void, undefined> {
    const { path: values, query, limit, signal } = (rest[0] ?? {}) as Loose & Limited;
    return this.#pages<Entry<P>>(filled(path, values), { ...query, limit, signal });
  }

  async *#pages<T>(path: string, options: Limited & Abortable): AsyncGenerator<T, void, undefined> {
    const { signal, limit: most, ...query } = options;
    let left = most ?? Infinity;
    let cursor: string | null = null;
    while (left > 0) {
      const limit = Math.min(PAGE, left);
      const answer = await this.#get(path, { ...query, limit, cursor }, signal);
      const page = answer as { data: T[]; next: string | null };
      yield* page.data;
      left -= page.data.length;
      cursor = page.next ?? null;
      if (cursor === null) return;
    }
  }

  async *#unsuccessful(id: string, signal: AbortSignal | undefined): AsyncGenerator<Item, void, undefined> {
    for (const status of UNSUCCESSFUL) yield* this.items(id, { status, signal });
  }

  /** The batch after a wait of so many seconds at most, and for how long not to ask again. */
  async #waited(
    path: string,
    wait: number,
    signal: AbortSignal | undefined,
  ): Promise<{ batch: Batch | null; retryAfter: number }> {
    const silence = SILENCE_SECONDS + wait;
    try {
      const { json, headers } = await this.#ask({ method: "GET", path, query: { wait }, signal, silence });
      return { batch: json as Batch, retryAfter: secondsOf(headers) ?? 1 };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 429) return { batch: null, retryAfter: error.retryAfter ?? 1 };
      if (error.status !== 422 || this.#longestWait !== WAIT_SECONDS) throw error;
      const limits = (await this.#get("/v1/limits", {}, signal)) as Answer<"GET", "/v1/limits">;
      this.#longestWait = Math.min(WAIT_SECONDS - 1, limits.maxWaitSeconds);
      return { batch: null, retryAfter: 0 };
    }
  }

  async #get(path: string, query: Record<string, unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    return (await this.#ask({ method: "GET", path, query, signal, silence: SILENCE_SECONDS })).json;
  }

  #ask(ask: Ask, again = true): Promise<{ json: unknown; headers: Headers }> {
    return untilAnswered(() => this.#transport.ask(ask), this.#resending, ask.signal, () => again);
  }
}

/** Options of any request, once their types have done their work. */
interface Loose extends Abortable {
  path?: Readonly<Record<string, unknown>>;
  query?: Readonly<Record<string, unknown>>;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  idempotencyKey?: string;
}

function filled(path: string, values: Readonly<Record<string, unknown>> = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (values[name] === undefined) throw new TypeError(`${name} of ${path} is missing`);
    return segment(String(values[name]));
  });
}

function itemsOf(id: string): string {
  return `/v1/batches/${segment(id)}/items`;
}

/** Seconds by a clock that nobody sets. */
function now(): number {
  return performance.now() / 1000;
}
