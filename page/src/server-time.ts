/** How far the clock of this machine is behind the app's. Milliseconds. */
let behindMs = 0;
/** The `Date` of an answer is in whole seconds, and is late by the time of the transfer. */
const UNSURE_MS = 5_000;

/** Reads the `Date` of an answer: the app's times are by its own clock, not by this machine's. */
export function heardServerTime(date: string | null): void {
  const ms = Date.parse(date ?? '') - Date.now();
  if (!Number.isNaN(ms)) behindMs = Math.abs(ms) > UNSURE_MS ? ms : 0;
}

/** Converts a time of the app's clock to the clock of this machine. The result is never in the future. */
export function byLocalClock(at: string): Date {
  return new Date(Math.min(Date.parse(at) - behindMs, Date.now()));
}

/** The time by the app's clock. */
export function serverNow(): Date {
  return new Date(Date.now() + behindMs);
}
