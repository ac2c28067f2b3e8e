// What a user of openapi-typescript writes, with openapi-fetch. URL and SECRET are its arguments.
// Prints what the test looks at, as JSON. `api.d.ts` is made of the document.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Batch = components["schemas"]["Batch"];
type Problem = components["schemas"]["Problem"];

const [url, secret] = process.argv.slice(2) as [string, string];
const api = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${secret}` } });

const GOOD = { asin: "A1", countryCode: "US", percACoS: 2.7 };
const BAD = { asin: "A1", countryCode: "usa", percACoS: 2.7 };

function there<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

function refused(answer: { error?: Problem }): Problem {
  if (answer.error === undefined) throw new Error("it was not refused");
  return answer.error;
}

async function waited(id: string): Promise<Batch> {
  for (;;) {
    const batch = there(
      await api.GET("/v1/batches/{batch_id}", { params: { path: { batch_id: id }, query: { wait: 20 } } }),
    );
    if (batch.finishedAt !== null) return batch;
  }
}

async function lines(stream: ReadableStream<Uint8Array> | null): Promise<string[]> {
  if (stream === null) throw new Error("there is no body");
  let text = "";
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += decoder.decode(part.value, { stream: true });
  }
  return text.split(/\r?\n/).filter((line) => line !== "");
}

const body = { operation: "catalog.masterlist", name: "made", items: [GOOD, BAD, BAD, GOOD, BAD] };
const once = { params: { header: { "Idempotency-Key": "once" } }, body };
const made = there(await api.POST("/v1/batches", once));
const again = await api.POST("/v1/batches", once);
if (there(again).id !== made.id) throw new Error("submitted twice");
const ended = await waited(made.id);
const here = { batch_id: made.id };

const failures: [number, string | null][] = [];
let cursor: string | null | undefined;
let pages = 0;
do {
  const page = there(
    await api.GET("/v1/batches/{batch_id}/items", {
      params: { path: here, query: { status: ["INVALID"], limit: 2, cursor: cursor ?? undefined } },
    }),
  );
  failures.push(...page.data.map((item): [number, string | null] => [item.index, item.message]));
  pages += 1;
  cursor = page.next;
} while (cursor !== null);

const results = await api.GET("/v1/batches/{batch_id}/results", {
  params: { path: here },
  parseAs: "stream",
});
const table = await api.GET("/v1/batches/{batch_id}/results", {
  params: { path: here, query: { format: "csv" } },
  parseAs: "stream",
});
const events = await api.GET("/v1/batches/{batch_id}/events", {
  params: { path: here },
  parseAs: "stream",
});

// A body that is no JSON, in its own media type.
const opened = there(
  await api.POST("/v1/batches", {
    params: { query: { operation: "catalog.masterlist", start: "manual" } },
    headers: { "Content-Type": "text/csv" },
    body: "asin,countryCode,percACoS\nA1,US,2.7\n",
    bodySerializer: (text) => text as unknown as string,
  }),
);
there(
  await api.POST("/v1/batches/{batch_id}/items", {
    params: { path: { batch_id: opened.id } },
    body: { items: [GOOD] },
  }),
);
there(await api.POST("/v1/batches/{batch_id}/start", { params: { path: { batch_id: opened.id } } }));
const second = await waited(opened.id);

const retried = there(
  await api.POST("/v1/batches/{batch_id}/retry", {
    params: { path: here },
    body: { statuses: ["INVALID"] },
  }),
);
// Words that were not there when the types were made: what reads them has to be ready for others.
const resting: Batch["status"] = "RESTING";
const pondering: components["schemas"]["Item"]["status"] = "PONDERING";
const wrong = refused(
  await api.POST("/v1/batches/{batch_id}/start", { params: { path: here } }),
);
const unknown = refused(
  await api.POST("/v1/batches", { body: { operation: "no.such", items: [GOOD] } }),
);

console.log(
  JSON.stringify({
    ended: [ended.status, ended.summary.completed, ended.summary.invalid],
    replayed: again.response.headers.get("Idempotent-Replayed"),
    failures,
    pages,
    lines: (await lines(there(results))).map((line) => JSON.parse(line).index),
    rows: (await lines(there(table))).length,
    events: (await lines(there(events))).filter((line) => line.startsWith("event:")),
    second: second.status,
    retried: retried.id === made.id,
    refused: [wrong.status, wrong.type],
    unknown: [unknown.status, unknown.errors?.[0]?.pointer],
    listed: there(await api.GET("/v1/batches", { params: { query: { limit: 1 } } })).data.length,
    limits: there(await api.GET("/v1/limits")).defaultPageSize,
    new_words: [resting, pondering],
  }),
);
