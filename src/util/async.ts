/**
 * All waiting: sleeps, timeouts, and waits that end early when they are aborted.
 *
 * @module
 */

/** Waits `ms`. Resolves with `false`, at once, when `signal` fires first or has fired. */
export function sleep(ms: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (elapsed: boolean) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      resolve(elapsed);
    };
    const abort = () => end(false);
    const timer = setTimeout(end, ms, true);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** The result of `promise`, or `null` when it takes longer than `ms`; `promise` itself is not cancelled. */
export async function resultWithin<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const done = new AbortController();
  try {
    return await Promise.race([promise, sleep(ms, done.signal).then(() => null)]);
  } finally {
    done.abort();
  }
}

/** Waits until `promise` has settled, at most `ms`. Never rejects. */
export async function settleWithin(promise: Promise<unknown>, ms: number): Promise<void> {
  await resultWithin(promise.catch(() => {}), ms);
}

/** The result of `promise`, unless `signal` fires first: then rejects with its reason. `promise` is not cancelled. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", abort));
}
