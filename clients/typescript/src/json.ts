/** A value as JSON that says what it is: what JSON has no word for is refused, and not made null. */

/**
 * `value` as JSON. A bigint becomes text, which the API takes for a number and converts exactly; a Date its
 * time in UTC. Throws TypeError for NaN, infinities, invalid dates, Maps, Sets, and what is nothing at all.
 */
export function textOf(value: unknown): string {
  const text: string | undefined = JSON.stringify(value, plain);
  if (text === undefined) throw new TypeError(`${kindOf(value)} has no form in JSON`);
  return text;
}

// `this` is the object that has the value, before its toJSON made text or null of it.
function plain(this: unknown, name: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TypeError(`${value} has no form in JSON`);
  }
  if (value === null) {
    const before = (this as Record<string, unknown>)[name];
    if (before instanceof Date) throw new TypeError("an invalid date has no form in JSON");
  }
  if (value instanceof Map || value instanceof Set) {
    throw new TypeError(`${kindOf(value)} has no form in JSON`);
  }
  return value;
}

function kindOf(value: unknown): string {
  return typeof value === "object" && value !== null ? `a ${value.constructor.name}` : typeof value;
}
