import { CLOCKS_MS } from './spans.ts';

/**
 * Whether something was done since then, by when it is on record to have been. A time that is still to come is none: who
 * believed it would not do that again before it has come.
 *
 * @param on ISO 8601; what cannot be read, or is absent, has not been
 */
export function hasBeenSince(on: Date | string | undefined, sinceMs: number, now: Date): boolean {
  const ms = new Date(on ?? '').getTime();
  return ms > sinceMs && ms <= now.getTime() + CLOCKS_MS;
}
