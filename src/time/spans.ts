/** Milliseconds. */
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Clocks may differ by this much: the app's instances', an operator's machine's, and Azure's. Milliseconds. */
export const CLOCKS_MS = 5 * 60_000;

/**
 * What changes within this time of an act is taken for a write that was still under way. What a person does later is that
 * person's decision: it is reported, not fought. Milliseconds.
 */
export const LATE_WRITE_MS = 2 * CLOCKS_MS;

/** A write that was given up takes effect within this time, or never: the longest that was recorded took 36 s. Milliseconds. */
export const GIVEN_UP_MS = 60_000;

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
