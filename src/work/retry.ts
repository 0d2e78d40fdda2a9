import type { Failure } from '../azure/failure.ts';

/** Azure Queue Storage allows a visibility timeout of at most 7 days; one minute less allows for clock skew. */
export const MAX_DELAY_SECONDS = 7 * 24 * 3600 - 60;

/**
 * After so many tries a message goes to the poison queue: with the delays below about 100 minutes, which is longer than
 * a role assignment takes to propagate (Azure RBAC troubleshooting: up to 10 minutes) and than most outages last.
 */
export const MAX_ATTEMPTS = 24;

type Retry =
  | { readonly again: true; readonly delaySeconds: number; readonly attempt: number }
  | { readonly again: false };

/** Requeues a message for the service's `Retry-After`. A throttled attempt does not count, so it never poisons the message. */
export function afterThrottling(failure: Pick<Failure, 'retryAfterSeconds'>, attempt: number): Retry {
  return { again: true, delaySeconds: toQueueDelay(failure.retryAfterSeconds ?? 15), attempt };
}

/** 15 s, 30 s, 60 s, 120 s, 240 s and then every 5 minutes, until there were `maxTries`. */
export function afterFailure(attempt: number, maxTries: number = MAX_ATTEMPTS): Retry {
  if (attempt + 1 >= maxTries) return { again: false };
  return { again: true, delaySeconds: Math.min(15 * 2 ** attempt, 300), attempt: attempt + 1 };
}

/** Whole seconds, at least one, and no more than a queue allows. */
export function toQueueDelay(seconds: number): number {
  return Math.min(Math.max(Math.ceil(seconds), 1), MAX_DELAY_SECONDS);
}
