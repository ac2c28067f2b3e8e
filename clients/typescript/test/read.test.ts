import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { ApiError, Client, hasEnded, NotEnded } from "../src/index.js";
import { all } from "./cuts.js";
import { batch, item, json, lost, problem, serving, type Answer } from "./server.js";

const running = json(batch("RUNNING"), 200, { "Retry-After": "0" });
const ended = json(batch());

function sse(response: ServerResponse, text: string, end = true): void {
  response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
  response.write(text);
  if (end) response.end();
}

function ndjson(indexes: readonly number[], rest = "", breaks = false): Answer {
  return (response, _, request) => {
    response.writeHead(200, { "Content-Type": "application/x-ndjson" });
    const text = indexes.map((index) => `${JSON.stringify(item(index))}\n`).join("") + rest;
    response.write(text, () => (breaks ? request.socket.destroy() : response.end()));
  };
}

test("a wait asks again until the batch has ended, and nothing long goes on with it", async (context) => {
  const doing = json({ ...batch(), doing: { action: "retry", done: 1, total: 2 } }, 200, { "Retry-After": "0" });
  const answers = [running, problem(503), lost, problem(429, { "Retry-After": "0" }), doing, ended];
  const { client, asked } = await serving(context, answers);
  assert.equal((await client.wait("b1")).status, "SUCCESS");
  assert.deepEqual(asked.map((one) => one.url), Array(6).fill("/v1/batches/b1?wait=20"));
  assert(!hasEnded(batch("PAUSED")));
});

test("a wait has its end, and the batch as it is then", async (context) => {
  const { client } = await serving(context, [running]);
  await assert.rejects(client.wait("b1", { timeoutSeconds: 0 }), (error) => {
    assert(error instanceof NotEnded && !(error instanceof ApiError));
    assert.equal(error.batch.status, "RUNNING");
    return true;
  });
});

test("a server that holds answers for less is asked for less", async (context) => {
  const limits = json({ maxWaitSeconds: 5 });
  const { client, asked } = await serving(context, [problem(422), limits, ended]);
  await client.wait("b1");
  assert.deepEqual(asked.map((one) => one.url), ["/v1/batches/b1?wait=20", "/v1/limits", "/v1/batches/b1?wait=5"]);
});

test("pages are fetched as they are asked for, and no further than the limit", async (context) => {
  const first = json({ data: [item(0), item(1)], next: "c" });
  const { client, asked } = await serving(context, [first, json({ data: [item(2)], next: null })]);
  const items = client.items("b/1", { status: ["FAILED", "INVALID"], limit: 1500 });
  assert.equal(asked.length, 0);
  assert.equal((await items.next()).value?.index, 0);
  assert.equal(asked.length, 1);
  assert.deepEqual((await all(items)).map((one) => one.index), [1, 2]);
  assert.deepEqual(asked.map((one) => one.url), [
    "/v1/batches/b%2F1/items?status=FAILED%2CINVALID&limit=1000",
    "/v1/batches/b%2F1/items?status=FAILED%2CINVALID&limit=1000&cursor=c",
  ]);
});

test("failures are the server's, where it groups them", async (context) => {
  const failure = { failure: "f1", operation: "a", status: "FAILED", code: 500, message: "…", count: 2, firstIndex: 0, lastIndex: 1, example: "1" };
  const { client, asked } = await serving(context, [json({ data: [failure], next: null })]);
  assert.deepEqual(await all(client.failures("b1", { limit: 5 })), [failure]);
  assert.deepEqual(asked.map((one) => one.url), ["/v1/batches/b1/failures?limit=5"]);
});

test("failures are grouped here, where it does not", async (context) => {
  const page = json({ data: [item(0), { ...item(1), message: "Up" }, item(2)], next: null });
  const none = json({ data: [], next: null });
  const { client } = await serving(context, [problem(404), ended, none, page]);
  const found = await all(client.failures("b1"));
  assert.deepEqual(
    found.map(({ count, message, firstIndex, lastIndex }) => [count, message, firstIndex, lastIndex]),
    [[2, "Down", 0, 2], [1, "Up", 1, 1]],
  );
});

test("results go on behind the last whole line, wherever they break off", async (context) => {
  const { client, asked } = await serving(context, [
    problem(503, { "Retry-After": "0" }),
    ndjson([0, 1], '{"index": 2, "k', true),
    ndjson([2], '{"index": 3'),
    lost,
    ndjson([3, 4]),
  ]);
  const found = await all(client.results("b1", { status: "FAILED" }));
  assert.deepEqual(found.map((one) => one.index), [0, 1, 2, 3, 4]);
  assert.deepEqual(
    asked.map((one) => new URL(one.url, "http://x").searchParams.get("after")),
    [null, null, "1", "2", "2"],
  );
});

test("results that bring nothing any more are given up", async (context) => {
  const { client, asked } = await serving(context, [ndjson([0], "", true), lost], { tries: 3 });
  const found: number[] = [];
  await assert.rejects(
    (async () => {
      for await (const one of client.results("b1")) found.push(one.index);
    })(),
    { name: "ApiError", status: 0 },
  );
  assert.deepEqual(found, [0]);
  // The first, and three in a row that brought nothing.
  assert.equal(asked.length, 4);
});

test("events go on behind the last, by its id", async (context) => {
  const ids: (string | undefined)[] = [];
  const summary = JSON.stringify(batch().summary);
  const parts = [
    `retry: 0\n\nevent: progress\nid: 1\ndata: ${summary}\n\nevent: progress\nid: 2\nda`,
    "retry: 0\n\n: nothing new\n\n",
    `retry: 0\n\nevent: paused\nid: 3\ndata: {}\n\nevent: finished\nid: 4\ndata: ${JSON.stringify(batch())}\n\n`,
  ];
  const tell: Answer = (response, _, request) => {
    ids.push(request.headers["last-event-id"] as string | undefined);
    sse(response, parts.shift() ?? "");
  };
  const { client } = await serving(context, [problem(503, { "Retry-After": "0" }), tell]);
  const found = await all(client.events("b1"));
  assert.deepEqual(found.map((one) => [one.name, one.id]), [["progress", "1"], ["finished", "4"]]);
  assert.deepEqual(ids, [undefined, "1", "1"]);
});

test("events that were all told are none", async (context) => {
  const { client } = await serving(context, [(response) => response.writeHead(204).end()]);
  assert.deepEqual(await all(client.events("b1", { lastEventId: "4" })), []);
});

test("what is no stream of events is said to be none", async (context) => {
  const { client } = await serving(context, [json({})]);
  await assert.rejects(all(client.events("b1")), { name: "ApiError", status: 200, message: /does not offer events/ });
});

test("an iterator that is left early ends its connection", async (context) => {
  const summary = JSON.stringify(batch().summary);
  const endless: Answer = (response, asked) => {
    if (asked.url.endsWith("/events")) sse(response, `event: progress\nid: 1\ndata: ${summary}\n\n`, false);
    else response.writeHead(200).write(`${JSON.stringify(item(0))}\n`);
  };
  const { client, idle, open } = await serving(context, [endless]);
  for await (const one of client.results("b1")) {
    assert.equal(one.index, 0);
    assert.equal(open.size, 1);
    break;
  }
  await idle();
  for await (const one of client.events("b1")) {
    assert.equal(one.name, "progress");
    break;
  }
  await idle();
});

test("giving up ends a stream that says nothing, and leaves no listener on the signal", async (context) => {
  const silent: Answer = (response) => void response.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
  const controller = new AbortController();
  const { client, idle, asked } = await serving(context, [ended, json({ data: [item(0)], next: null }), ndjson([0]), problem(404), silent]);
  const { signal } = controller;
  await client.batch("b1", { signal });
  await all(client.items("b1", { signal }));
  await all(client.results("b1", { signal }));
  await assert.rejects(client.batch("b1", { signal }), { status: 404 });
  assert.equal(getEventListeners(signal, "abort").length, 0);
  const next = client.events("b1", { signal }).next();
  next.catch(() => undefined);
  const timer = setInterval(() => asked.length === 5 && controller.abort(new Error("enough")), 5);
  await assert.rejects(next, /^Error: enough$/);
  clearInterval(timer);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  await idle();
});

test("any request of the document, by its types", async (context) => {
  const { client, asked } = await serving(context, [
    json({ id: "w1" }, 201),
    (response) => response.writeHead(204).end(),
    json({ data: [{ name: "a" }], next: null }),
    problem(503),
  ]);
  const made = await client.request("POST", "/v1/webhooks", { body: { url: "https://example.com", events: ["batch.finished"] } });
  assert.equal(made.id, "w1");
  assert.equal(await client.request("DELETE", "/v1/webhooks/{webhook_id}", { path: { webhook_id: "a/b" } }), undefined);
  assert.deepEqual((await client.request("GET", "/v1/operations")).data.map((one) => one.name), ["a"]);
  // Nobody knows whether it was done, and doing it twice may be another thing.
  await assert.rejects(client.request("POST", "/v1/batches/{batch_id}/retry", { path: { batch_id: "b1" } }), { status: 503 });
  assert.deepEqual(
    asked.map((one) => `${one.method} ${one.url} ${one.body}`.trim()),
    [
      'POST /v1/webhooks {"url":"https://example.com","events":["batch.finished"]}',
      "DELETE /v1/webhooks/a%2Fb",
      "GET /v1/operations",
      "POST /v1/batches/b1/retry",
    ],
  );
  // @ts-expect-error: no such path
  await assert.rejects(client.request("GET", "/v1/nothing"), { status: 503 });
});

test("a redirect is not followed, and said", async (context) => {
  const { client, asked } = await serving(context, [(response) => response.writeHead(301, { Location: "/" }).end()]);
  await assert.rejects(client.submit("a", [1]), { status: 301, message: /redirects/ });
  assert.equal(asked.length, 1);
});

test("numbers beyond 2^53 are kept by a parser that keeps them", async (context) => {
  const text = '{"id": "b1", "metadata": {"n": 9007199254740993}}';
  const parse = (given: string): unknown => JSON.parse(given.replace(/: (\d{16,})/g, ': "$1"'));
  const { client } = await serving(context, [(response) => response.end(text)], { parse });
  assert.deepEqual((await client.batch("b1")).metadata, { n: "9007199254740993" });
});

test("what is not Batchline, and what is no address", async (context) => {
  const { client } = await serving(context, [(response) => response.end("<html>")]);
  await assert.rejects(client.batch("b1"), { name: "ApiError", status: 200, message: /is it Batchline/ });
  for (const url of ["localhost:8000", "ftp://localhost", "", "http://"]) {
    assert.throws(() => new Client(url, "secret"), /is no address/);
  }
  const nobody = new Client("http://127.0.0.1:1", "secret", { tries: 2, pauseSeconds: 0 });
  await assert.rejects(nobody.batch("b1"), { name: "ApiError", status: 0, message: /Cannot reach .*Is Batchline running/ });
});
