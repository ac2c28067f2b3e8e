/** Texts cut into chunks at random, the same in every run. */

/** Numbers from 0 to 1 (mulberry32). */
export function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function oneOf<T>(chance: () => number, choices: readonly T[]): T {
  return choices[Math.floor(chance() * choices.length)] as T;
}

/** `bytes` in pieces, some of them empty. */
export function cut(chance: () => number, bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = oneOf(chance, [0, 1, 1, 2, 3, 7, 40]);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

export async function* given<T>(values: Iterable<T>): AsyncGenerator<T, void, undefined> {
  yield* values;
}

export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const value of values) found.push(value);
  return found;
}
