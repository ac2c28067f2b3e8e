import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, BadItem, Client } from "../src/index.js";
import { given } from "./cuts.js";
import { batch, json, lost, problem, serving, type Answer } from "./server.js";

const accepted = json(batch("PENDING"), 202);
const busy = problem(503, { "Retry-After": "0" });
const inFlight = problem(409, { "Retry-After": "0" }, "urn:batchline:problem:key-in-flight");
// More than is held in memory: it is streamed.
const MANY = 10_500;

function* numbered(count: number): Generator<{ n: number }, void, undefined> {
  for (let n = 0; n < count; n += 1) yield { n };
}

const lines = Array.from(numbered(MANY), (one) => `${JSON.stringify(one)}\n`).join("");

test("few items are one JSON request, which is sent again as it was", async (context) => {
  const forms = { a: [{ n: 0 }, { n: 1 }], b: numbered(2), c: given(numbered(2)), d: () => numbered(2) };
  for (const items of Object.values(forms)) {
    const { client, asked } = await serving(context, [busy, lost, inFlight, accepted]);
    const options = { name: "x", metadata: { run: 7 }, scheduledAt: new Date(0), maxFailures: null };
    const made = await client.submit("catalog.price", items, options);
    assert.equal(made.id, "b1");
    assert.equal(asked.length, 4);
    assert.equal(new Set(asked.map((one) => one.key)).size, 1);
    assert.match(asked[0]?.key ?? "", /^[0-9a-f]{32}$/);
    for (const one of asked) {
      assert.deepEqual(JSON.parse(one.body), {
        operation: "catalog.price",
        name: "x",
        metadata: { run: 7 },
        scheduledAt: "1970-01-01T00:00:00.000Z",
        items: [{ n: 0 }, { n: 1 }],
      });
    }
  }
});

test("many items are streamed; from an array or a function they are sent again from the beginning", async (context) => {
  for (const items of [[...numbered(MANY)], () => given(numbered(MANY))]) {
    const { client, asked } = await serving(context, [busy, lost, accepted]);
    await client.submit("a", items, { metadata: { run: 7 }, dryRun: true });
    assert.equal(asked.length, 3);
    for (const one of asked) {
      assert.equal(one.body, lines);
      const query = new URL(one.url, "http://x").searchParams;
      assert.deepEqual([...query], [["operation", "a"], ["metadata", '{"run":7}'], ["dryRun", "true"]]);
    }
    assert.equal(new Set(asked.map((one) => one.key)).size, 1);
  }
});

test("what was streamed from an iterator is gone: the error has the key under which to submit it again", async (context) => {
  const { client, asked } = await serving(context, [busy]);
  await assert.rejects(client.submit("a", numbered(MANY)), (error) => {
    assert(error instanceof ApiError);
    assert.deepEqual([error.status, error.problem.detail, error.retryAfter], [503, "Not now.", 0]);
    assert.equal(error.idempotencyKey, asked[0]?.key);
    return true;
  });
  assert.equal(asked.length, 1);
});

test("an iterator of which nothing but its beginning was taken is sent again", async (context) => {
  // Refused before a byte of the body: fetch has asked for none, as nothing reads it.
  let calls = 0;
  const sent: string[] = [];
  const fetch = async (_: string, init: RequestInit): Promise<Response> => {
    calls += 1;
    if (calls < 3) return new Response("{}", { status: 503, headers: { "Retry-After": "0" } });
    sent.push(await new Response(init.body as ReadableStream).text());
    return Response.json(batch(), { status: 202 });
  };
  const { client } = await serving(context, [accepted], { fetch });
  await client.submit("a", numbered(MANY));
  assert.equal(calls, 3);
  assert.deepEqual(sent, [lines]);
});

test("it gives up after so many tries, with the last refusal", async (context) => {
  const { client, asked } = await serving(context, [busy], { tries: 3 });
  await assert.rejects(client.submit("a", [1]), { name: "ApiError", status: 503, message: /^503 Not now\.$/ });
  assert.equal(asked.length, 3);
});

test("other refusals are not sent again", async (context) => {
  for (const status of [400, 401, 409, 413, 422, 429, 500, 502]) {
    const { client, asked } = await serving(context, [problem(status)]);
    await assert.rejects(client.submit("a", [1]), { status });
    assert.equal(asked.length, 1);
  }
});

test("values that JSON has no word for", async (context) => {
  const { client, asked } = await serving(context, [accepted]);
  const when = new Date("2027-01-31T00:00:00Z");
  await client.submit(null, [{ big: 2n ** 70n, when, not: undefined, list: [1n] }]);
  const [sent] = JSON.parse(asked[0]?.body ?? "").items;
  assert.deepEqual(sent, { big: "1180591620717411303424", when: "2027-01-31T00:00:00.000Z", list: ["1"] });
  const circle: { self?: unknown } = {};
  circle.self = circle;
  for (const bad of [NaN, -Infinity, { a: [NaN] }, undefined, () => 1, Symbol("s"), new Map(), { a: new Set() }, circle, new Date(NaN)]) {
    await assert.rejects(client.submit(null, [{}, bad]), (error) => {
      assert(error instanceof BadItem);
      assert.equal(error.index, 1);
      assert.match(error.message, /^Item 1 cannot be sent: /);
      return true;
    });
  }
  assert.equal(asked.length, 1);
});

test("what cannot be a header is the caller's mistake, and not sent again", async (context) => {
  const { client, asked } = await serving(context, [accepted], { pauseSeconds: 30 });
  for (const idempotencyKey of ["line\nend", "\u65e5"]) {
    await assert.rejects(client.submit("a", [1], { idempotencyKey }), TypeError);
  }
  assert.throws(() => new Client("http://127.0.0.1", "secret\nfrom a file"), TypeError);
  assert.equal(asked.length, 0);
});

test("fields of what is streamed are held to JSON like items", async (context) => {
  const { client, asked } = await serving(context, [accepted]);
  await client.submit("a", numbered(MANY), { metadata: { run: 2n ** 60n } });
  assert.equal(new URL(asked[0]?.url ?? "", "http://x").searchParams.get("metadata"), '{"run":"1152921504606846976"}');
  for (const items of [numbered(1), numbered(MANY)]) {
    await assert.rejects(client.submit("a", items, { metadata: { run: NaN } }), TypeError);
  }
  assert.equal(asked.length, 1);
});

test("what is no list is refused, a string among them", async (context) => {
  const { client, asked } = await serving(context, [accepted]);
  for (const items of ["abc", 1, null, {}, Promise.resolve([]), () => "abc"]) {
    await assert.rejects(client.submit("a", items as never), { name: "TypeError", message: /^items: / });
  }
  assert.equal(asked.length, 0);
});

test("what the items throw comes out as it is, and nothing was submitted", async (context) => {
  for (const count of [3, MANY]) {
    let arrived = false;
    const took: Answer = (...all) => {
      arrived = true;
      accepted(...all);
    };
    const { client, idle } = await serving(context, [took]);
    const fault = new Error("The database went away.");
    const items = async function* (): AsyncGenerator<object> {
      yield* numbered(count);
      throw fault;
    };
    await assert.rejects(client.submit("a", items), fault);
    await assert.rejects(client.submit("a", items()), fault);
    // A body that was cut short never came to its end.
    await idle();
    assert.equal(arrived, false);
  }
});

test("items are taken no faster than they are sent, and told when no more are wanted", async (context) => {
  const answers: Answer[] = [];
  let taken = 0;
  let ended = 0;
  const items = async function* (): AsyncGenerator<object> {
    try {
      for (; ; taken += 1) yield { text: "x".repeat(10_000) };
    } finally {
      ended += 1;
    }
  };
  // It never reads what it is sent, and refuses it in the end: what fits into buffers of sockets is all.
  let refuse = (): void => undefined;
  const began = new Promise<void>((resolve) => {
    answers.push((response, asked, request) => {
      refuse = () => problem(422)(response, asked, request);
      resolve();
    });
  });
  const { client } = await serving(context, answers, {}, true);
  const submitting = client.submit("a", items());
  submitting.catch(() => undefined);
  await began;
  // Until no more is taken: a turn of the event loop after the other brings nothing any more.
  for (let before = -1; before !== taken; ) {
    before = taken;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert(taken < 20_000, `${taken} items of 10 kB were taken`);
  refuse();
  await assert.rejects(submitting, { status: 422 });
  assert.equal(ended, 1);
});

test("giving up ends the request, and a source that hangs does not hold it", async (context) => {
  const hangs = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) };
  const { client, asked, idle } = await serving(context, [() => undefined]);
  const reason = new Error("enough");
  for (const items of [hangs, [1], numbered(MANY)]) {
    const controller = new AbortController();
    const before = asked.length;
    const submitting = client.submit("a", items, { signal: controller.signal });
    const timer = setInterval(() => {
      // The one that hangs never gets so far as to be asked.
      if (items === hangs || asked.length > before) controller.abort(reason);
    }, 5);
    await assert.rejects(submitting, reason);
    clearInterval(timer);
  }
  await assert.rejects(client.submit("a", [1], { signal: AbortSignal.abort(reason) }), reason);
  await idle();
});

test("giving up ends a pause between tries, too", async (context) => {
  const { client, asked } = await serving(context, [problem(503, { "Retry-After": "25" })]);
  const controller = new AbortController();
  const submitting = client.submit("a", [1], { signal: controller.signal });
  const timer = setInterval(() => asked.length === 1 && controller.abort(), 5);
  await assert.rejects(submitting, { name: "AbortError" });
  clearInterval(timer);
  assert.equal(asked.length, 1);
});
