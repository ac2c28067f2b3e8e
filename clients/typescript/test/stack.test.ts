/** Against a real Batchline, whose address and secret are in the environment: tests/generated has one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, BadItem, Client, hasEnded, NotEnded, type Fetch } from "../src/index.js";
import { all } from "./cuts.js";

const url = process.env["BATCHLINE_URL"] ?? "";
const secret = process.env["BATCHLINE_SECRET"] ?? "";
const against = { skip: url === "" && "BATCHLINE_URL names no Batchline" };
const client = new Client(url || "http://127.0.0.1", secret);

const GOOD = { asin: "A1", countryCode: "US", percACoS: 2.7 };
const BAD = { asin: "A1", countryCode: "usa", percACoS: 2.7 };

async function* numbered(count: number): AsyncGenerator<object, void, undefined> {
  for (let number = 0; number < count; number += 1) yield { ...GOOD, asin: `A${number}` };
}

async function listed(name: string): Promise<number> {
  return (await all(client.pages("/v1/batches"))).filter((one) => one.name === name).length;
}

test("a batch from its submission to its failures", against, async () => {
  const items = [GOOD, BAD, { ...GOOD, asin: "A2" }, { asin: "A3" }, BAD];
  const made = await client.submit("catalog.masterlist", items, { name: "typed", metadata: { run: 7 } });
  assert.deepEqual([made.name, made.metadata, made.dialect], ["typed", { run: 7 }, "native"]);
  const ended = await client.wait(made.id, { timeoutSeconds: 60 });
  assert(hasEnded(ended));
  assert.deepEqual([ended.status, ended.progress], ["PARTIAL", 1]);
  assert.deepEqual([ended.summary.completed, ended.summary.invalid], [2, 3]);
  assert.deepEqual(await client.batch(made.id), ended);

  const shown = await all(client.items(made.id));
  assert.deepEqual(shown.map((item) => item.input), items);
  assert.deepEqual(await all(client.results(made.id)), shown);
  const indexes = async (found: AsyncIterable<{ index: number }>): Promise<number[]> =>
    (await all(found)).map((item) => item.index);
  assert.deepEqual(await indexes(client.items(made.id, { status: "INVALID" })), [1, 3, 4]);
  assert.deepEqual(await indexes(client.items(made.id, { limit: 2 })), [0, 1]);
  assert.deepEqual(await indexes(client.items(made.id, { key: "A1:US" })), [0]);
  assert.deepEqual(await indexes(client.results(made.id, { status: "INVALID", after: 1 })), [3, 4]);

  const failures = await all(client.failures(made.id));
  assert.deepEqual(
    failures.map((one) => [one.count, one.status, one.operation, one.firstIndex, one.lastIndex, one.example]),
    [
      [2, "INVALID", "catalog.masterlist", 1, 4, shown[1]?.message],
      [1, "INVALID", "catalog.masterlist", 3, 3, shown[3]?.message],
    ],
  );
  assert.equal((await all(client.failures(made.id, { limit: 1 }))).length, 1);

  const events = await all(client.events(made.id));
  const last = events.at(-1);
  assert(last?.name === "finished");
  assert.deepEqual(last.data, ended);
  assert.deepEqual(await all(client.events(made.id, { lastEventId: last.id })), []);
});

test("items are mended and run again", against, async () => {
  const made = await client.submit("catalog.masterlist", [GOOD, BAD, { asin: "A3" }]);
  await client.wait(made.id, { timeoutSeconds: 60 });
  const edited = await client.editItem(made.id, 1, { ...GOOD, asin: "A2" });
  assert.deepEqual([edited.status, edited.key, edited.input], ["INVALID", "A2:US", { ...GOOD, asin: "A2" }]);
  const chosen = await client.retryItems(made.id, { indexes: [0, 1] });
  assert.deepEqual([chosen.selected, chosen.batch.id], [1, made.id]);
  assert.equal((await client.wait(made.id, { timeoutSeconds: 60 })).summary.completed, 2);
  const tries = (await all(client.history(made.id, 1))).map((one) => [one.attempt, one.status, one.input]);
  assert.deepEqual(tries, [[0, "INVALID", BAD], [1, "SUCCESS", { ...GOOD, asin: "A2" }]]);
  await assert.rejects(client.editItem(made.id, 0, GOOD), { status: 409 });
  const open = await client.submit("catalog.masterlist", [GOOD, GOOD], { start: "manual" });
  assert.equal((await client.cancelItems(open.id, { where: { key: "A1:US" } })).selected, 2);
});

test("many items are streamed, followed and read back", against, async () => {
  const made = await client.submit("catalog.masterlist", numbered(11_000), { name: "streamed", onInvalid: "reject" });
  let before = -1;
  for await (const event of client.events(made.id)) {
    if (event.name !== "progress") continue;
    assert(event.data.processed >= before);
    before = event.data.processed;
  }
  assert.equal(before, 11_000);
  let next = 0;
  for await (const item of client.results(made.id)) {
    assert.deepEqual([item.index, item.status], [next, "SUCCESS"]);
    next += 1;
  }
  assert.equal(next, 11_000);
  let paged = 0;
  for await (const item of client.items(made.id, { limit: 2500 })) assert.equal(item.index, paged++);
  assert.equal(paged, 2500);
});

test("an answer that is lost is asked for again, and nothing is submitted twice", against, async () => {
  for (const [index, items] of [[GOOD], () => numbered(11_000)].entries()) {
    let calls = 0;
    const losing: Fetch = async (address, init) => {
      const answer = await fetch(address, init);
      calls += 1;
      if (calls < 3) throw new TypeError("lost");
      assert.equal(answer.headers.get("Idempotent-Replayed"), "true");
      return answer;
    };
    const far = new Client(url, secret, { fetch: losing, pauseSeconds: 0.01 });
    const name = `lost ${index}`;
    await far.submit("catalog.masterlist", items, { name });
    assert.equal(calls, 3);
    assert.equal(await listed(name), 1);
  }
});

test("a key of one's own submits once; another body under it is refused", against, async () => {
  const idempotencyKey = "of-my-own";
  const first = await client.submit("catalog.masterlist", [GOOD], { idempotencyKey });
  assert.equal((await client.submit("catalog.masterlist", [GOOD], { idempotencyKey })).id, first.id);
  await assert.rejects(client.submit("catalog.masterlist", [BAD], { idempotencyKey }), (error) => {
    assert(error instanceof ApiError);
    assert.equal(error.problem.type, "urn:batchline:problem:key-reused");
    return true;
  });
});

test("what is refused while it is streamed is told, and ends the stream", against, async () => {
  let ended = 0;
  const endless = async function* (first: object): AsyncGenerator<object> {
    try {
      for (yield first; ; ) yield* numbered(1000);
    } finally {
      ended += 1;
    }
  };
  await assert.rejects(client.submit("no.such", endless(GOOD)), (error) => {
    assert(error instanceof ApiError);
    assert.deepEqual([error.status, error.problem.errors?.[0]?.pointer], [422, "/operation"]);
    return true;
  });
  const { maxItemBytes } = await client.request("GET", "/v1/limits");
  const large = { ...GOOD, asin: "x".repeat(maxItemBytes) };
  await assert.rejects(client.submit("catalog.masterlist", endless(large)), { status: 413 });
  const stranger = new Client(url, "wrong");
  await assert.rejects(stranger.submit("catalog.masterlist", endless(GOOD)), { status: 401 });
  assert.equal(ended, 3);
});

test("of a stream that ends in a fault nothing is kept", against, async () => {
  const fault = new Error("The database went away.");
  const items = async function* (bad: unknown): AsyncGenerator<unknown> {
    yield* numbered(11_000);
    if (bad === undefined) throw fault;
    yield bad;
  };
  await assert.rejects(client.submit("catalog.masterlist", items(undefined), { name: "faulty" }), fault);
  await assert.rejects(client.submit("catalog.masterlist", items(NaN), { name: "faulty" }), BadItem);
  assert.equal(await listed("faulty"), 0);
});

test("values that JSON has no word for are converted by the API", against, async () => {
  const item = { product: "P", store: 7n, available: true, units: 12n };
  const { id } = await client.submit("catalog.availability", [item]);
  const ended = await client.wait(id);
  assert.equal(ended.status, "SUCCESS", JSON.stringify(await all(client.failures(id))));
  const scheduledAt = new Date(Date.now() + 86_400_000);
  const later = await client.submit("catalog.availability", [item], { scheduledAt });
  assert.equal(later.status, "SCHEDULED");
  assert.equal(new Date(later.scheduledAt ?? 0).getTime(), scheduledAt.getTime());
});

test("items that name their operation", against, async () => {
  const made = await client.submit(null, [{ operation: "catalog.masterlist", data: GOOD }]);
  assert.equal(made.operation, null);
  assert.equal((await client.wait(made.id)).status, "SUCCESS");
});

test("a wait has its end, and other actions go by the document", against, async () => {
  const made = await client.submit("catalog.masterlist", [GOOD], { start: "manual" });
  for (const timeoutSeconds of [0, 0.2, 1.2]) {
    await assert.rejects(client.wait(made.id, { timeoutSeconds }), (error) => {
      assert(error instanceof NotEnded);
      assert.equal(error.batch.status, "OPEN");
      return true;
    });
  }
  const path = { batch_id: made.id };
  await client.request("POST", "/v1/batches/{batch_id}/items", { path, body: { items: [GOOD] }, idempotencyKey: "append" });
  await client.request("POST", "/v1/batches/{batch_id}/start", { path });
  assert.equal((await client.wait(made.id)).summary.total, 2);
  await assert.rejects(client.request("POST", "/v1/batches/{batch_id}/start", { path }), { status: 409 });
  assert.equal(await client.request("DELETE", "/v1/batches/{batch_id}", { path }), undefined);
  for (const call of [
    () => client.batch(made.id),
    () => client.wait(made.id),
    () => all(client.items(made.id)),
    () => all(client.failures(made.id)),
    () => all(client.results(made.id)),
    () => all(client.events(made.id)),
  ]) {
    await assert.rejects(call(), { name: "ApiError", status: 404 });
  }
});
