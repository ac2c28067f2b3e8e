/**
 * Requests that are sent again where nobody knows what became of them.
 *
 * A submission has an `Idempotency-Key`, so that it may be sent as often as it takes: once it has been
 * accepted, the first answer comes again. What reads changes nothing.
 */
import { pause } from "./deadline.js";
import { ApiError } from "./errors.js";

const LONGEST_PAUSE = 30;
const IN_FLIGHT = "urn:batchline:problem:key-in-flight";

/** Whether the same request may yet succeed: no answer came, or one that says "later". */
export function isOpen(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  return error.status === 0 || error.status === 503 || error.problem.type === IN_FLIGHT;
}

export interface Resending {
  /** How often a request is sent at most. */
  tries: number;
  /** Seconds before the second try; twice as long before each further one. */
  pauseSeconds: number;
}

/** How long to wait before the try that follows try number `tried` (from 1), in seconds. */
export function pauseAfter(error: ApiError, tried: number, { pauseSeconds }: Resending): number {
  const wait = error.retryAfter ?? pauseSeconds * 2 ** (tried - 1);
  // Not all at the same moment, who were all refused at one.
  return Math.min(wait, LONGEST_PAUSE) * (1 + Math.random() / 5);
}

/**
 * What `send` returns, tried up to `tries` times for as long as it is open and `again()` says that it
 * can be sent again. Throws the last ApiError.
 */
export async function untilAnswered<T>(
  send: () => Promise<T>,
  how: Resending,
  signal: AbortSignal | undefined,
  again: () => boolean = () => true,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await send();
    } catch (error) {
      if (tried >= how.tries || !isOpen(error) || !again()) throw error;
      await pause(pauseAfter(error, tried, how), signal);
    }
  }
}
