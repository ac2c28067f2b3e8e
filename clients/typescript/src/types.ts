/** What the API takes and answers: names for parts of `api.ts`, which is made of the document. */
import type { components, operations } from "./api.js";

type Schemas = components["schemas"];

export type Batch = Schemas["Batch"];
export type Summary = Schemas["Summary"];
export type Doing = Schemas["Doing"];
export type Item = Schemas["Item"];
export type Try = Schemas["Try"];
/** How many items were chosen, and the batch as it is then. */
export type Selected = Schemas["Selected"];
/** Items to run again, or to cancel: either `indexes` (at most 10,000), or `where`, of which all has to hold. */
export type RetryChoice = Schemas["ItemsRetry"];
export type CancelChoice = Schemas["ItemsCancel"];
export type Problem = Schemas["Problem"];

/** Items of a batch that failed alike; `failure` and `message` are null where the server does not group them. */
export type Failure = Omit<Schemas["Failure"], "failure" | "message"> & {
  /** A short id, the same for the same cause in every batch. */
  failure: string | null;
  /** With … where values vary. */
  message: string | null;
};

/** How a batch stands: the last event of one is `finished`. */
export type BatchEvent =
  | { name: "progress"; id: string; data: Summary }
  | { name: "finished"; id: string; data: Batch };

/** Something that a webhook tells. Its `data` is the batch for those that begin with `batch.`. */
export interface WebhookEvent {
  type: string;
  /** RFC 3339. */
  timestamp: string;
  data: Batch;
}

/**
 * Items to submit. An array, and a function that gives them anew, can be sent again as often as it
 * takes; of another iterable, async ones and streams among them, only what is still held.
 */
export type Items<T = unknown> =
  | readonly T[]
  | Iterable<T>
  | AsyncIterable<T>
  | (() => Iterable<T> | AsyncIterable<T>);

/** Every request can be given up: it then throws the signal's reason. */
export interface Abortable {
  signal?: AbortSignal | undefined;
}

type OrDate<T> = { [K in keyof T]: K extends "scheduledAt" ? T[K] | Date : T[K] };

/** The fields of a submission, but for `operation` and `items`. */
export type SubmissionFields = OrDate<Omit<Schemas["Submission"], "operation" | "items">>;

export interface SubmitOptions extends Abortable {
  /**
   * Of your own, and it holds for another run of your program, too: the same items under the same
   * key are submitted once in 24 hours. Made up where there is none.
   */
  idempotencyKey?: string | undefined;
}

type Query<O> = O extends { parameters: { query?: infer Q } } ? NonNullable<Q> : never;
type Word<T> = T extends readonly (infer W)[] ? W : T;
type Several<Q> = {
  [K in keyof Q]:
    | (K extends "status" | "indexes" ? Word<Q[K]> | readonly (NonNullable<Word<Q[K]>> | number)[] : Q[K])
    | undefined;
};

export interface Limited {
  /** At most so many entries. */
  limit?: number | undefined;
}

export type ItemFilters = Several<Omit<Query<operations["listItems"]>, "limit" | "cursor">>;
export type ResultFilters = Several<Omit<Query<operations["getResults"]>, "format" | "spreadsheet">>;

const ENDED: ReadonlySet<string> = new Set(["SUCCESS", "PARTIAL", "FAILED", "CANCELED"]);

/** Whether nothing more happens to the batch by itself: no long action goes on, either. */
export function hasEnded(batch: Batch): boolean {
  return ENDED.has(batch.status) && !batch.doing;
}
