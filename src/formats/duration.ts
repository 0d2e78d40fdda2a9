import { CmkError } from '../errors/errors.ts';
import { formatCount } from './text.ts';

const DURATION =
  /^P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/;

/**
 * Moves a time by an ISO 8601 duration. Years and months follow the calendar: a month after the 31st of January is the
 * last day of February.
 *
 * @param sign -1: before
 * @returns undefined for an invalid duration, or a result outside the range of `Date` (the year 275760)
 */
export function shiftTime(from: Date, duration: string, sign: 1 | -1): Date | undefined {
  const parts = partsOf(duration, sign);
  if (!parts) return undefined;

  const { years, months, weeks, days, hours, minutes, seconds } = parts;
  const to = new Date(from);
  const day = to.getUTCDate();

  to.setUTCMonth(to.getUTCMonth() + months + 12 * years, 1);

  const lastDay = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate();

  to.setUTCDate(Math.min(day, lastDay));

  const end = new Date(to.getTime() + (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1_000);

  return Number.isNaN(end.getTime()) ? undefined : end;
}

/**
 * Days of an ISO 8601 duration with 365 days per year and 30 per month, for systems that do not follow the calendar.
 */
export function parseEvenDays(duration: string): number | undefined {
  const parts = partsOf(duration, 1);
  if (!parts) return undefined;
  const { years, months, weeks, days, hours, minutes, seconds } = parts;
  return years * 365 + months * 30 + weeks * 7 + days + ((hours * 60 + minutes) * 60 + seconds) / 86_400;
}

function partsOf(duration: string, sign: 1 | -1) {
  const match = DURATION.exec(duration.trim().toUpperCase());
  if (!match) return undefined;
  const [years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((part) => sign * Number(part ?? 0));
  return { years, months, weeks, days, hours, minutes, seconds };
}

/**
 * Adds an ISO 8601 duration to a time, by {@link shiftTime}.
 *
 * @throws {@link CmkError} `ArgumentInvalid`
 */
export function addDuration(from: Date, duration: string): Date {
  const end = shiftTime(from, duration, 1);
  if (end) return end;
  throw new CmkError(
    'ArgumentInvalid',
    `"${duration}" is not a duration.`,
    'Use an ISO 8601 duration: P2Y for two years, P90D for 90 days, PT12H for twelve hours.',
  );
}

/** Day of a time in UTC. */
export function formatDay(time: Date): string {
  return time.toISOString().slice(0, 10);
}

/** Whether the day exists: `Date` reads the 31st of February as the 2nd of March. */
export function isDay(text: string): boolean {
  const date = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(text) : new Date(Number.NaN);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

/**
 * Parses a date, a time, or a duration from now.
 *
 * @throws {@link CmkError} `ArgumentInvalid`
 */
export function parseMoment(text: string, now: Date): Date {
  if (/^p/i.test(text)) return addDuration(now, text);

  const [day = '', time] = text.split('T');
  const date = new Date(text);
  const isMoment = isDay(day) && (time === undefined || /^[\d:.]+Z$/.test(time)) && !Number.isNaN(date.getTime());
  if (isMoment) return date;

  throw new CmkError(
    'ArgumentInvalid',
    `"${text}" is neither a date nor a duration.`,
    'Examples: 2028-06-30, 2028-06-30T12:00:00Z, P2Y.',
  );
}

/**
 * Parses a date, a time, or a duration ago (`P7D`).
 *
 * @param edge moment of a date: its start, or the start of the next day
 * @returns undefined for any other text
 */
export function parseMomentAgo(text: string, now: Date, edge: 'first' | 'after' = 'first'): Date | undefined {
  if (/^p/i.test(text)) return shiftTime(now, text, -1);
  const [day = '', time] = text.split('T');
  const date = new Date(text);
  // Without a zone it would be a time of this machine.
  const hasZone = time === undefined || /(?:Z|[+-]\d\d:\d\d)$/.test(time);
  if (!isDay(day) || !hasZone || Number.isNaN(date.getTime())) return undefined;
  return edge === 'after' && isDay(text) ? shiftTime(date, 'P1D', 1) : date;
}

/**
 * Formats a duration: `3 minutes`, `2 hours`, `5 days`. A negative duration, from a clock that is fast, is `0 seconds`.
 */
export function formatSpan(span: number): string {
  const [amount, unit] = rounded(span);
  return formatCount(amount, unit);
}

/** Formats a duration for a column of a table: `3m`, `2h`, `5d`. */
export function formatShortSpan(span: number): string {
  const [amount, unit] = rounded(span);
  return `${amount}${unit[0]}`;
}

function rounded(span: number): [amount: number, unit: string] {
  const seconds = Math.max(0, span);
  if (seconds < 90) return [Math.round(seconds), 'second'];
  if (seconds < 5_400) return [Math.round(seconds / 60), 'minute'];
  if (seconds < 172_800) return [Math.round(seconds / 3_600), 'hour'];
  return [Math.round(seconds / 86_400), 'day'];
}
