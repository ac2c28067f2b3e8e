/** One request over fetch: its address, its refusal as an ApiError, its answer as it comes. */
import { Deadline, Silence } from "./deadline.js";
import { ApiError } from "./errors.js";
import { textOf } from "./json.js";
import type { Problem } from "./types.js";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Ask {
  method: string;
  /** Beginning with `/`, quoted. */
  path: string;
  query?: Readonly<Record<string, unknown>> | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  body?: string | ReadableStream<Uint8Array> | Blob | undefined;
  signal?: AbortSignal | undefined;
  /** Most seconds without an answer, or without a byte of it; null: as long as fetch itself waits. */
  silence: number | null;
  /** Called with the answer of a stream, once it is known to be no refusal. */
  opened?: ((response: Response) => void) | undefined;
}

export class Transport {
  constructor(
    readonly url: string,
    private readonly secret: string,
    private readonly fetch: Fetch,
    private readonly parse: (text: string) => unknown,
  ) {}

  /** The JSON that is answered (undefined for none), and the answer's headers. Throws ApiError. */
  async ask(request: Ask): Promise<{ json: unknown; headers: Headers }> {
    const deadline = new Deadline(request.signal);
    try {
      const response = await this.#opened(request, deadline);
      const text = await this.#lost(request, response.text());
      return { json: text === "" ? undefined : this.json(text), headers: response.headers };
    } finally {
      // What is left of an upload that was answered before its end.
      deadline.abandon();
    }
  }

  /** The answer's body, chunk by chunk; none where the answer has none. Throws ApiError. */
  async *stream(request: Ask): AsyncGenerator<Uint8Array, void, undefined> {
    const deadline = new Deadline(request.signal);
    try {
      const response = await this.#opened(request, deadline);
      request.opened?.(response);
      const reader = response.body?.getReader();
      if (reader === undefined) return;
      for (;;) {
        deadline.within(request.silence);
        const { done, value } = await this.#lost(request, reader.read());
        // Time that the caller takes over what came is no silence.
        deadline.within(null);
        if (done) return;
        yield value;
      }
    } finally {
      // Ends the connection, too, where its reader has left before the end.
      deadline.abandon();
    }
  }

  json(text: string): unknown {
    try {
      return this.parse(text);
    } catch (cause) {
      throw new ApiError(`${this.url} did not answer with JSON: is it Batchline?`, { status: 200, cause });
    }
  }

  async #opened(request: Ask, deadline: Deadline): Promise<Response> {
    // What is no header, or no address, is the caller's mistake: a TypeError, and not sent again.
    const headers = new Headers({ Authorization: `Bearer ${this.secret}`, ...request.headers });
    const address = new URL(this.url + request.path + queryOf(request.query)).href;
    deadline.within(request.silence);
    const init: RequestInit & { duplex?: "half" } = {
      method: request.method,
      headers,
      signal: deadline.signal,
      // Followed, a POST would become a GET.
      redirect: "manual",
    };
    if (request.body !== undefined) init.body = request.body;
    if (request.body instanceof ReadableStream) init.duplex = "half";
    const response = await this.#lost(request, this.fetch(address, init));
    if (response.ok) return response;
    throw await this.#refusal(request, response);
  }

  /** What `waited` resolves to. Throws the caller's own reason to give up, or an ApiError without a status. */
  async #lost<T>(request: Ask, waited: Promise<T>): Promise<T> {
    try {
      return await waited;
    } catch (cause) {
      if (request.signal?.aborted) throw request.signal.reason;
      const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
      const why = inner instanceof Error ? inner.message || inner.name : String(inner);
      const said = inner instanceof Silence ? why : `${why}. Is Batchline running?`;
      throw new ApiError(`Cannot reach ${this.url}: ${said}`, { cause });
    }
  }

  async #refusal(request: Ask, response: Response): Promise<ApiError> {
    if (response.type === "opaqueredirect" || (response.status >= 300 && response.status < 400)) {
      const status = response.status || 302;
      return new ApiError(`${status} ${this.url} redirects: use the address it leads to.`, { status });
    }
    const problem = problemIn(await this.#lost(request, response.text()));
    const lines = [problem.detail ?? problem.title ?? (response.statusText || "refused")];
    for (const error of problem.errors ?? []) lines.push(`  ${error.pointer}: ${error.message}`);
    return new ApiError(`${response.status} ${lines.join("\n")}`, {
      status: response.status,
      problem,
      retryAfter: secondsOf(response.headers),
    });
  }
}

/** What `Retry-After` says, in seconds; null where that is a date, or nothing. */
export function secondsOf(headers: Headers): number | null {
  const text = headers.get("Retry-After");
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}

/** `id` as one segment of a path. */
export function segment(id: string): string {
  const quoted = encodeURIComponent(id);
  // Dots alone would lead elsewhere.
  return /^\.+$/.test(quoted) ? quoted.replaceAll(".", "%2E") : quoted;
}

function problemIn(text: string): Partial<Problem> {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null && !Array.isArray(body) ? body : {};
  } catch {
    return {};
  }
}

/** `?a=1&b=2`. Null and undefined are left out, lists joined by commas, objects written as JSON. */
export function queryOf(query: Readonly<Record<string, unknown>> = {}): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) found.set(name, parameter(value));
  }
  const text = found.toString();
  return text && `?${text}`;
}

function parameter(value: unknown): string {
  if (Array.isArray(value)) return value.map(String).join(",");
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" ? textOf(value) : String(value);
}
