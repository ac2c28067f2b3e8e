/** Server-Sent Events out of text that may be cut anywhere, by the words of the HTML standard. */

export interface Message {
  /** `message` where it has no name. */
  name: string;
  /** The last id that was given; empty if none was. */
  id: string;
  data: string;
}

export class SseParser {
  /** Seconds after which to connect again, where the stream said so. */
  retry: number | null = null;
  #id = "";
  #name = "";
  #data: string[] = [];
  #pieces: string[] = [];
  #begun = false;
  #afterReturn = false;

  /** The messages that `text` completes. What is never completed is never told. */
  push(text: string): Message[] {
    if (text === "") return [];
    const found: Message[] = [];
    let from = !this.#begun && text.startsWith("\uFEFF") ? 1 : 0;
    this.#begun = true;
    // `\r\n` is one end of a line, also where a chunk ends between the two.
    if (this.#afterReturn && text[from] === "\n") from += 1;
    this.#afterReturn = text.endsWith("\r");
    for (const end of text.matchAll(/\r\n|\n|\r/g)) {
      if (end.index < from) continue;
      this.#pieces.push(text.slice(from, end.index));
      const line = this.#pieces.join("");
      this.#pieces = [];
      from = end.index + end[0].length;
      const message = this.#line(line);
      if (message !== null) found.push(message);
    }
    if (from < text.length) this.#pieces.push(text.slice(from));
    return found;
  }

  #line(line: string): Message | null {
    if (line === "") return this.#dispatched();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#name = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value) / 1000;
    return null;
  }

  #dispatched(): Message | null {
    const data = this.#data;
    const name = this.#name || "message";
    this.#data = [];
    this.#name = "";
    return data.length === 0 ? null : { name, id: this.#id, data: data.join("\n") };
  }
}
