/** Webhooks at their receiver: whether a message is from Batchline, and what it says. */
import { WebhookRefused } from "./errors.js";
import type { WebhookEvent } from "./types.js";
import { webCrypto } from "./webcrypto.js";

/** A request's headers, as fetch, Node's http, Express or any other framework has them. */
export type WebhookHeaders =
  | Headers
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string | readonly string[] | undefined>>;

const TOLERANCE_SECONDS = 300;
const PREFIX = "whsec_";

/**
 * The event that a webhook's request brings, once its signature is found good (Standard Webhooks).
 *
 * `secret`: the webhook's, `whsec_…`; Error if it is none. `headers`: of the request; `body`: to the byte,
 * as it came. A message may come more than once, with the same header `webhook-id`. Throws WebhookRefused
 * for whatever is wrong with it: answer 401, and believe nothing of it. A message older or newer than
 * `toleranceSeconds` (300 unless said) is refused, too.
 */
export async function verifyWebhook(
  secret: string,
  headers: WebhookHeaders,
  body: string | Uint8Array | ArrayBuffer,
  { toleranceSeconds = TOLERANCE_SECONDS }: { toleranceSeconds?: number } = {},
): Promise<WebhookEvent> {
  const secretBytes = decoded(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
  if (secretBytes === null || secretBytes.length === 0) throw new Error("This is no secret of a webhook.");
  const id = valueOf(headers, "webhook-id");
  const timestamp = valueOf(headers, "webhook-timestamp");
  const signatures = valueOf(headers, "webhook-signature");
  if (!id || !timestamp || !signatures) throw new WebhookRefused("The message is not signed.");
  if (!/^\d{1,12}$/.test(timestamp)) throw new WebhookRefused("The message's time is none.");
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= toleranceSeconds)) {
    throw new WebhookRefused("The message is too old, or from the future.");
  }
  const content = bytesOf(body);
  const signed = joined(bytesOf(`${id}.${timestamp}.`), content);
  if (!(await isSignedBy(secretBytes, signatures, signed))) {
    throw new WebhookRefused("The message's signature is not good.");
  }
  let event: unknown;
  try {
    event = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch (cause) {
    throw new WebhookRefused("The message is not JSON.", { cause });
  }
  if (typeof event !== "object" || event === null || Array.isArray(event)) {
    throw new WebhookRefused("The message is no event.");
  }
  return event as WebhookEvent;
}

async function isSignedBy(secret: Bytes, signatures: string, signed: Bytes): Promise<boolean> {
  const { subtle } = await webCrypto();
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await subtle.importKey("raw", secret, hmac, false, ["verify"]);
  let good = false;
  // Several while a secret is changed over.
  for (const one of signatures.split(" ")) {
    const [version, text] = one.split(",", 2);
    const signature = version === "v1" && text !== undefined ? decoded(text) : null;
    // Compares in constant time.
    if (signature !== null && (await subtle.verify("HMAC", key, signature, signed))) good = true;
  }
  return good;
}

type Bytes = Uint8Array<ArrayBuffer>;

function bytesOf(text: string | Uint8Array | ArrayBuffer): Bytes {
  if (typeof text === "string") return new TextEncoder().encode(text);
  return text instanceof Uint8Array ? Uint8Array.from(text) : new Uint8Array(text);
}

function joined(one: Bytes, other: Bytes): Bytes {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function decoded(base64: string): Bytes | null {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

function valueOf(headers: WebhookHeaders, name: string): string | null {
  if (headers instanceof Headers) return headers.get(name);
  const pairs = Symbol.iterator in headers ? headers : Object.entries(headers);
  for (const [given, value] of pairs as Iterable<[string, string | readonly string[] | undefined]>) {
    if (given.toLowerCase() === name) return typeof value === "string" ? value : (value?.[0] ?? null);
  }
  return null;
}
