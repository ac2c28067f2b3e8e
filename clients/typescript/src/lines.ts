/** Lines out of chunks, which may be cut anywhere: within a line, a character, or a line's end. */

/**
 * The lines that end with `\n`, without it and without those that are empty. `rest` is called in the end
 * with what stood behind the last of them.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  rest: (text: string) => void = () => undefined,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  // Pieces of a line that is not whole yet: joined once, however many chunks a long one takes.
  let pieces: string[] = [];
  for await (const chunk of chunks) {
    const parts = decoder.decode(chunk, { stream: true }).split("\n");
    for (const part of parts.slice(0, -1)) {
      pieces.push(part);
      const line = pieces.join("").replace(/\r$/, "");
      pieces = [];
      if (line !== "") yield line;
    }
    pieces.push(parts[parts.length - 1] ?? "");
  }
  pieces.push(decoder.decode());
  rest(pieces.join(""));
}
