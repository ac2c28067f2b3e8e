/** When a request is given up: its caller's AbortSignal, and silence of the other side. */

/** Why a request was given up that its caller still wanted. */
export class Silence extends Error {}

/**
 * One AbortSignal for a request, of its caller's and a clock. `close` it in the end: a caller's signal
 * may live as long as its program does, and would hold all that ever listened to it.
 */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #forward = (): void => this.#controller.abort(this.#caller?.reason);

  constructor(caller: AbortSignal | undefined) {
    this.#caller = caller;
    if (caller?.aborted) this.#forward();
    else caller?.addEventListener("abort", this.#forward, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on something has to come within so many seconds; null: no matter when. */
  within(seconds: number | null): void {
    clearTimeout(this.#timer);
    if (seconds === null) return;
    const silent = (): void => this.#controller.abort(new Silence(`nothing came for ${seconds} s`));
    this.#timer = setTimeout(silent, seconds * 1000);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener("abort", this.#forward);
  }

  /** Give up what is still under way, an upload for one, and close. */
  abandon(): void {
    this.close();
    this.#controller.abort();
  }
}

/** Wait so many seconds. Throws the signal's reason once it is aborted. */
export function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", giveUp);
      resolve();
    }, seconds * 1000);
    function giveUp(): void {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", giveUp, { once: true });
  });
}
