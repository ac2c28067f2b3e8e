import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { ClientError, verifyWebhook, WebhookRefused } from "../src/index.js";

const SECRET = `whsec_${Buffer.from("twenty-four bytes, it is").toString("base64")}`;
const OTHER = `whsec_${Buffer.from("another of twenty-four.").toString("base64")}`;
const BODY = '{"type": "batch.finished", "timestamp": "2026-11-21T09:41:00Z", "data": {"id": "ü"}}';

function signature(secret: string, id: string, time: number, body: string): string {
  const bytes = Buffer.from(secret.slice("whsec_".length), "base64");
  return `v1,${createHmac("sha256", bytes).update(`${id}.${time}.${body}`).digest("base64")}`;
}

function signed({ secret = SECRET, age = 0, body = BODY } = {}): Record<string, string> {
  const time = Math.floor(Date.now() / 1000) - age;
  return {
    "Webhook-Id": "msg_1",
    "Webhook-Timestamp": String(time),
    "Webhook-Signature": signature(secret, "msg_1", time, body),
  };
}

test("a message that is signed is believed, in every form of headers and body", async () => {
  const headers = signed();
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const bytes = new TextEncoder().encode(BODY);
  const inside = new Uint8Array([0, ...bytes, 0]).subarray(1, -1);
  for (const form of [headers, lower, new Headers(headers), Object.entries(headers), new Map(Object.entries(headers))]) {
    for (const body of [BODY, bytes, inside, Buffer.from(bytes), bytes.slice().buffer]) {
      const event = await verifyWebhook(SECRET, form, body);
      assert.equal(event.type, "batch.finished");
      assert.equal(event.data.id, "ü");
    }
  }
  await verifyWebhook(SECRET.slice("whsec_".length), headers, BODY);
});

test("one good signature among several is enough", async () => {
  const headers = signed();
  const good = headers["Webhook-Signature"];
  for (const all of [`v1,AAAA ${good}`, `${good} v1,AAAA`, `v2,x ${good} v1a,y`, `v1,%% ${good}`]) {
    await verifyWebhook(SECRET, { ...headers, "Webhook-Signature": all }, BODY);
  }
});

test("whatever is wrong with a message, it is refused", async () => {
  const good = signed();
  const wrong: [Record<string, string | undefined>, string | Uint8Array][] = [
    [good, BODY.replace("finished", "forged")],
    [good, ""],
    [{}, BODY],
    [{ ...good, "Webhook-Id": "msg_2" }, BODY],
    [{ ...good, "Webhook-Id": "" }, BODY],
    [{ ...good, "Webhook-Signature": undefined }, BODY],
    [{ ...good, "Webhook-Signature": "v1,AAAA" }, BODY],
    [{ ...good, "Webhook-Signature": "v1," }, BODY],
    [{ ...good, "Webhook-Signature": "v1,%%%" }, BODY],
    [{ ...good, "Webhook-Signature": good["Webhook-Signature"]?.replace("v1", "v2") }, BODY],
    [{ ...good, "Webhook-Timestamp": "now" }, BODY],
    [{ ...good, "Webhook-Timestamp": "1e9" }, BODY],
    [{ ...good, "Webhook-Timestamp": String(Number(good["Webhook-Timestamp"]) + 1) }, BODY],
    [signed({ secret: OTHER }), BODY],
    [signed({ age: 400 }), BODY],
    [signed({ age: -400 }), BODY],
    [signed({ body: "no JSON" }), "no JSON"],
    [signed({ body: "[]" }), "[]"],
    [signed({ body: "null" }), "null"],
  ];
  for (const [headers, body] of wrong) {
    await assert.rejects(verifyWebhook(SECRET, headers, body), (error) => {
      assert(error instanceof WebhookRefused && error instanceof ClientError);
      assert.deepEqual([error.name, error.status, error.problem], ["WebhookRefused", 0, {}]);
      return true;
    });
  }
  await verifyWebhook(SECRET, signed({ age: 400 }), BODY, { toleranceSeconds: 500 });
});

test("what is no secret is told so, and not taken for a forged message", async () => {
  for (const secret of ["", "whsec_", "whsec_%%%"]) {
    await assert.rejects(verifyWebhook(secret, signed(), BODY), /no secret/);
  }
});
