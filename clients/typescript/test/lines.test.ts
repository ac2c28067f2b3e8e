import assert from "node:assert/strict";
import { test } from "node:test";
import { linesOf } from "../src/lines.js";
import { all, cut, given, oneOf, random } from "./cuts.js";

const WORDS = ["", "{}", '{"a": "ü"}', '"🎉🎉"', "1", " ", "x".repeat(100), '"\u2028"'];

test("lines are the same wherever their bytes are cut", async () => {
  for (let seed = 0; seed < 500; seed += 1) {
    const chance = random(seed);
    const lines = Array.from({ length: Math.floor(chance() * 8) }, () => oneOf(chance, WORDS));
    const end = oneOf(chance, ["\n", "\r\n"]);
    const rest = oneOf(chance, ["", "", "half a l"]);
    const bytes = new TextEncoder().encode(lines.map((line) => line + end).join("") + rest);
    let left = "none";
    const found = await all(linesOf(given(cut(chance, bytes)), (text) => (left = text)));
    assert.deepEqual(found, lines.filter((line) => line !== ""), `seed ${seed}`);
    assert.equal(left, rest, `seed ${seed}`);
  }
});

test("a line of many chunks is joined once", async () => {
  const chunk = new TextEncoder().encode("x".repeat(1024));
  const many = [...Array<Uint8Array>(2000).fill(chunk), new TextEncoder().encode("\n")];
  const [line] = await all(linesOf(given(many)));
  assert.equal(line?.length, 2000 * 1024);
});

test("a character that is cut off at the end is left over, and no line", async () => {
  const bytes = new TextEncoder().encode('1\n"🎉');
  let left = "";
  assert.deepEqual(await all(linesOf(given([bytes.subarray(0, -1)]), (text) => (left = text))), ["1"]);
  assert.notEqual(left, "");
});
