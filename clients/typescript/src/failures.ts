/** Failures of a batch, grouped here: for a server that does not group them itself. */
import type { Failure, Item } from "./types.js";

const MOST_GROUPS = 1000;

/**
 * Items that did not succeed, by operation, status, code and message; the most frequent first. At most a
 * thousand groups are told apart, and the rest is one.
 */
export async function grouped(items: AsyncIterable<Item>): Promise<Failure[]> {
  const found = new Map<string, Failure>();
  for await (const item of items) {
    const { index, status } = item;
    let { operation, code, message } = item;
    let name = JSON.stringify([operation, status, code, message]);
    if (!found.has(name) && found.size >= MOST_GROUPS) {
      [operation, code, message] = [null, null, "Other failures"];
      name = JSON.stringify([operation, status, code, message]);
    }
    const known = found.get(name);
    if (known === undefined) {
      const example = item.message;
      found.set(name, {
        ...{ failure: null, operation, status, code, message, count: 1 },
        ...{ firstIndex: index, lastIndex: index, example },
      });
    } else {
      known.count += 1;
      known.firstIndex = Math.min(known.firstIndex ?? index, index);
      known.lastIndex = Math.max(known.lastIndex ?? index, index);
    }
  }
  return [...found.values()].sort((one, other) => other.count - one.count);
}
