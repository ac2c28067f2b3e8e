/** A server that answers as a test tells it to, and what it was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { Client, type Batch, type ClientOptions, type Item } from "../src/index.js";

export interface Asked {
  method: string;
  url: string;
  key: string | undefined;
  body: string;
}

export interface Served {
  client: Client;
  asked: Asked[];
  /** Answers under way. */
  open: Set<ServerResponse>;
  /** Resolves once none is: each was answered to its end, or its connection was closed. */
  idle: () => Promise<void>;
}

export type Answer = (response: ServerResponse, asked: Asked, request: IncomingMessage) => void;

/** Answers the first request by the first of `answers`, …; the last of them answers all that follow. */
export async function serving(
  test: TestContext,
  answers: readonly Answer[],
  options: ClientOptions = {},
  early = false,
): Promise<Served> {
  const asked: Asked[] = [];
  const open = new Set<ServerResponse>();
  const waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] as Answer;
    const key = request.headers["idempotency-key"] as string | undefined;
    const one: Asked = { method: request.method ?? "", url: request.url ?? "", key, body: "" };
    asked.push(one);
    open.add(response);
    response.on("close", () => {
      open.delete(response);
      if (open.size === 0) for (const tell of waiting.splice(0)) tell();
    });
    // Some answer before they have read what they were sent.
    if (early) return answer(response, one, request);
    request.setEncoding("utf8").on("data", (text: string) => (one.body += text));
    request.on("end", () => answer(response, one, request)).on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const client = new Client(`http://127.0.0.1:${port}/`, "secret", { pauseSeconds: 0.001, ...options });
  const idle = (): Promise<void> =>
    open.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
  return { client, asked, open, idle };
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return (response) =>
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(value));
}

export function problem(status: number, headers: Record<string, string> = {}, type = "about:blank"): Answer {
  return json({ type, title: "No", status, detail: "Not now." }, status, headers);
}

/** The connection ends instead of an answer. */
export const lost: Answer = (_, __, request) => void request.socket.destroy();

export function batch(status = "SUCCESS"): Batch {
  const summary = { total: 1, pending: 0, running: 0, completed: 1, failed: 0, invalid: 0, canceled: 0, processed: 1 };
  const at = "2026-11-21T09:41:00.123Z";
  return {
    ...{ id: "b1", name: null, operation: null, status, createdAt: at, scheduledAt: null, startedAt: at },
    ...{ finishedAt: at, progress: 1, metadata: {}, stopReason: null, dialect: "native", reference: null },
    ...{ doing: null, summary },
    // Whatever else a newer document has, no test here needs.
  } as Batch;
}

export function item(index: number): Item {
  const at = "2026-11-21T09:41:00.123Z";
  return {
    ...{ index, key: null, operation: "a", status: "FAILED", attempts: 1, code: 500, message: "Down" },
    ...{ result: null, input: {}, createdAt: at, startedAt: at, finishedAt: at },
  } as Item;
}
