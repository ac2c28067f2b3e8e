import assert from "node:assert/strict";
import { test } from "node:test";
import { SseParser, type Message } from "../src/sse.js";
import { cut, oneOf, random } from "./cuts.js";

function parsed(pieces: Iterable<string>): Message[] {
  const parser = new SseParser();
  return [...pieces].flatMap((piece) => parser.push(piece));
}

/** A stream, and what it says by the standard. */
function made(chance: () => number): { text: string; messages: Message[] } {
  let id = "";
  const messages: Message[] = [];
  let text = oneOf(chance, ["", "\uFEFF"]);
  // (A \r that is followed by a line of its own \n alone would be one end with it.)
  const ends = oneOf(chance, [["\n", "\r\n"], ["\r"], ["\r\n"]]);
  const write = (line: string): void => {
    text += line + oneOf(chance, ends);
  };
  for (let count = Math.floor(chance() * 6); count > 0; count -= 1) {
    const name = oneOf(chance, ["progress", "finished", "message"]);
    const data = Array.from({ length: Math.floor(chance() * 3) }, () => oneOf(chance, ["", " a", "{}", "ü🎉", "b: c"]));
    const lines = data.map((one) => `data: ${one}`);
    if (name !== "message" || chance() < 0.5) lines.push(`event:${name}`);
    if (chance() < 0.5) lines.push(`id: ${(id = oneOf(chance, ["7", "1-2", "é", ""]))}`);
    if (chance() < 0.2) lines.push("id: a\0b");
    if (chance() < 0.3) lines.push(oneOf(chance, [": heartbeat", ":", "retry: no", "other: 1", "other"]));
    for (const line of lines) write(line);
    write("");
    if (data.length > 0) messages.push({ name, id, data: data.join("\n") });
  }
  // Never completed, and so never told.
  return { text: `${text}${oneOf(chance, ["", "data: half"])}`, messages };
}

test("events are the same wherever the stream is cut", () => {
  for (let seed = 0; seed < 1000; seed += 1) {
    const chance = random(seed);
    const { text, messages } = made(chance);
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const chunks = cut(chance, new TextEncoder().encode(text));
    const pieces = chunks.map((chunk) => decoder.decode(chunk, { stream: true }));
    assert.deepEqual(parsed([text]), messages, `seed ${seed}, whole`);
    assert.deepEqual(parsed(pieces), messages, `seed ${seed}, in pieces`);
    assert.deepEqual(parsed(text), messages, `seed ${seed}, by characters`);
  }
});

test("an id holds until there is another, and one with NULL is none", () => {
  const [first, second, third] = parsed(["id: 1\ndata: a\n\ndata: b\n\nid: 2\0\ndata: c\n\n"]);
  assert.deepEqual([first?.id, second?.id, third?.id], ["1", "1", "1"]);
});

test("it says when to connect again, in seconds", () => {
  const parser = new SseParser();
  parser.push("retry: 2000\nretry: soon\n\n");
  assert.equal(parser.retry, 2);
});

test("a long line that is not whole yet is read in a time that grows with its length", () => {
  const parser = new SseParser();
  parser.push("data: ");
  for (let count = 0; count < 64; count += 1) assert.deepEqual(parser.push("x".repeat(65536)), []);
  assert.equal(parser.push("\n\n")[0]?.data.length, 64 * 65536);
});
