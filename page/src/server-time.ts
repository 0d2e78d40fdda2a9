/** How far the clock of this machine is behind the app's. Milliseconds. */
let behindMs = 0;
/** The `Date` of an answer is in whole seconds, and has been on its way. */
const UNSURE_MS = 5_000;

/** Takes note of the `Date` of an answer: the app's times are by its clock, not by this machine's. */
export function heardServerTime(date: string | null): void {
  const ms = Date.parse(date ?? '') - Date.now();
  if (!Number.isNaN(ms)) behindMs = Math.abs(ms) > UNSURE_MS ? ms : 0;
}

/** A moment of the app's clock by the clock of this machine, which it is not before. */
export function byLocalClock(at: string): Date {
  return new Date(Math.min(Date.parse(at) - behindMs, Date.now()));
}

/** What time it is by the app's clock. */
export function serverNow(): Date {
  return new Date(Date.now() + behindMs);
}
