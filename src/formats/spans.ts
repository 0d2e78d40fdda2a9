/** Milliseconds. */
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Most that clocks may differ, in milliseconds: of app instances, operators' machines, and Azure. */
export const CLOCKS_MS = 5 * 60_000;

/**
 * Time after an action within which a change counts as an in-flight write, in milliseconds. A later change by a person
 * is that person's decision: the app reports it but does not undo it.
 */
export const LATE_WRITE_MS = 2 * CLOCKS_MS;

/**
 * Time after which an abandoned write can no longer take effect, in milliseconds: the slowest recorded write took 36 s.
 */
export const GIVEN_UP_MS = 60_000;

/**
 * Whether an action happened since a time, according to its recorded time. A recorded time in the future does not
 * count, because the app would then not repeat the action until that time.
 *
 * @param on ISO 8601; an absent or invalid time counts as never
 */
export function hasBeenSince(on: Date | string | undefined, sinceMs: number, now: Date): boolean {
  const ms = new Date(on ?? '').getTime();
  return ms > sinceMs && ms <= now.getTime() + CLOCKS_MS;
}
