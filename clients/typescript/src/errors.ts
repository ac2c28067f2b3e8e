/**
 * What can go wrong for a client.
 *
 * ClientError
 * ├── ApiError         the API refused a request, or could not be reached
 * ├── NotEnded         a batch did not end in the time that was given
 * ├── BadItem          an item cannot be sent
 * └── WebhookRefused   a webhook's message is not to be believed
 *
 * What your own code throws (an iterable of items, the reason of an AbortSignal) comes out as it is.
 */
import type { Batch, Problem } from "./types.js";

/** Base of the client's errors; `message` is a sentence to be shown. */
export class ClientError extends Error {
  /** HTTP's status; 0 where no answer came, or none was asked for. */
  readonly status: number = 0;
  /** The problem document (RFC 9457) of the answer; `{}` where there was none. */
  readonly problem: Partial<Problem> = {};

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The API refused a request (`status`, `problem`), or could not be reached (`status` 0). */
export class ApiError extends ClientError {
  override readonly status: number;
  override readonly problem: Partial<Problem>;
  /** Seconds after which to ask again, where the answer said so. */
  readonly retryAfter: number | null;
  /** Of a submission whose answer is not known: the same items under it are submitted only once. */
  idempotencyKey: string | null = null;

  constructor(
    message: string,
    about: { status?: number; problem?: Partial<Problem>; retryAfter?: number | null; cause?: unknown } = {},
  ) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.status = about.status ?? 0;
    this.problem = about.problem ?? {};
    this.retryAfter = about.retryAfter ?? null;
  }
}

/** The batch did not end in the time that was given. */
export class NotEnded extends ClientError {
  constructor(
    message: string,
    /** As it is then. */
    readonly batch: Batch,
  ) {
    super(message);
  }
}

/** An item is nothing that JSON has a word for. */
export class BadItem extends ClientError {
  constructor(
    message: string,
    /** Its position, from 0. */
    readonly index: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The message's signature is not good, or missing, or too old. */
export class WebhookRefused extends ClientError {}
