/**
 * Batchline for those who call it, from TypeScript and JavaScript.
 *
 *     const client = new Client("https://batchline.example.com", secret);
 *     const { id } = await client.submit("catalog.price", prices, { name: "nightly" });
 *     const batch = await client.wait(id);
 *     for await (const failure of client.failures(id)) console.log(failure.count, failure.message);
 */
export { Client, type ClientOptions } from "./client.js";
export { ApiError, BadItem, ClientError, NotEnded, WebhookRefused } from "./errors.js";
export type { Answer, Entry, Method, Options, PagedPath, PathOf } from "./operations.js";
export type { Fetch } from "./transport.js";
export { hasEnded } from "./types.js";
export type {
  Abortable,
  Batch,
  BatchEvent,
  CancelChoice,
  Doing,
  Failure,
  Item,
  ItemFilters,
  Items,
  Limited,
  Problem,
  ResultFilters,
  RetryChoice,
  Selected,
  SubmissionFields,
  SubmitOptions,
  Summary,
  Try,
  WebhookEvent,
} from "./types.js";
export { verifyWebhook, type WebhookHeaders } from "./webhooks.js";
export type { components, operations, paths } from "./api.js";
