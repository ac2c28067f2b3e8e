/** The platform's cryptography. Node 18 has it, but not among the globals. */

export async function webCrypto(): Promise<Crypto> {
  if (globalThis.crypto !== undefined) return globalThis.crypto;
  // Not written as a literal: bundlers for browsers would look for it.
  const name = "node:crypto";
  const { webcrypto } = (await import(name)) as { webcrypto: Crypto };
  return webcrypto;
}

/** A new Idempotency-Key: 128 random bits, in pages without TLS, too, which have no randomUUID. */
export async function newKey(): Promise<string> {
  const bytes = (await webCrypto()).getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
