/** A batch's Server-Sent Events, over a connection that may break. */
import { pause } from "./deadline.js";
import { ApiError } from "./errors.js";
import { isOpen, pauseAfter, type Resending } from "./resending.js";
import { SseParser } from "./sse.js";
import { segment, type Transport } from "./transport.js";
import type { Abortable, BatchEvent } from "./types.js";

// Without a byte the connection is taken for broken. The server sends something every 15.
const SILENCE_SECONDS = 45;
const RETRY_SECONDS = 2;

/**
 * The events of a batch, up to `finished`; none where `lastEventId` was that one. A connection that breaks
 * is made again, and goes on behind the last event; it gives up after `tries` in a row that brought nothing.
 */
export async function* eventsOf(
  transport: Transport,
  resending: Resending,
  id: string,
  { signal, lastEventId }: Abortable & { lastEventId?: string | undefined },
): AsyncGenerator<BatchEvent, void, undefined> {
  const path = `/v1/batches/${segment(id)}/events`;
  let last = lastEventId ?? "";
  for (let tried = 1; ; tried += 1) {
    let wait = RETRY_SECONDS;
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (last !== "") headers["Last-Event-ID"] = last;
      let over = false;
      const opened = (response: Response): void => {
        // All of it was told before.
        over = response.status === 204;
        const type = response.headers.get("Content-Type") ?? "";
        if (over || type.startsWith("text/event-stream")) return;
        throw new ApiError(`${transport.url} does not offer events.`, { status: response.status });
      };
      const silence = SILENCE_SECONDS;
      const chunks = transport.stream({ method: "GET", path, headers, signal, silence, opened });
      const parser = new SseParser();
      const decoder = new TextDecoder();
      for await (const chunk of chunks) {
        for (const { name, id: told, data } of parser.push(decoder.decode(chunk, { stream: true }))) {
          tried = 0;
          last = told;
          // What a newer server may tell besides is passed over.
          if (name !== "progress" && name !== "finished") continue;
          yield { name, id: told, data: transport.json(data) } as BatchEvent;
          if (name === "finished") return;
        }
      }
      if (over) return;
      // Its end before `finished` is no fault: as many follow as can, or the server is stopped.
      tried = 0;
      wait = parser.retry ?? RETRY_SECONDS;
    } catch (error) {
      if (!isOpen(error) || tried >= resending.tries) throw error;
      wait = pauseAfter(error, Math.max(1, tried), resending);
    }
    await pause(wait, signal);
  }
}
