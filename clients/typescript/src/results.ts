/** A batch's results, line by line, over a connection that may break. */
import { pause } from "./deadline.js";
import { ApiError } from "./errors.js";
import { linesOf } from "./lines.js";
import { isOpen, pauseAfter, type Resending } from "./resending.js";
import { segment, type Transport } from "./transport.js";
import type { Abortable, Item, ResultFilters } from "./types.js";

const SILENCE_SECONDS = 120;

/**
 * The items of `GET /v1/batches/{id}/results`. After an interruption it goes on behind the last that came;
 * it gives up after `tries` in a row that brought nothing.
 */
export async function* resultsOf(
  transport: Transport,
  resending: Resending,
  id: string,
  { signal, ...filters }: ResultFilters & Abortable,
): AsyncGenerator<Item, void, undefined> {
  const path = `/v1/batches/${segment(id)}/results`;
  let query: Record<string, unknown> = filters;
  for (let tried = 1; ; tried += 1) {
    try {
      let rest = "";
      const chunks = transport.stream({ method: "GET", path, query, signal, silence: SILENCE_SECONDS });
      for await (const line of linesOf(chunks, (text) => (rest = text))) {
        const item = transport.json(line) as Item;
        tried = 0;
        query = { ...query, after: item.index };
        yield item;
      }
      if (rest === "") return;
      throw new ApiError(`The answer of ${transport.url} ended within a line.`);
    } catch (error) {
      if (!isOpen(error) || tried >= resending.tries) throw error;
      await pause(pauseAfter(error, Math.max(1, tried), resending), signal);
    }
  }
}
