/** A calendar duration of a rotation policy: `P18M`, `P2Y`, `P30D`, `P1Y6M`. */
export interface CalendarDuration {
  readonly years: number;
  readonly months: number;
  readonly days: number;
}

/** Parses `P…Y…M…W…D`; undefined for anything else, since a rotation policy has no time part. */
export function parseCalendarDuration(text: string): CalendarDuration | undefined {
  const match = /^P(?=\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?$/i.exec(text);
  if (!match) return undefined;
  const [years, months, weeks, days] = [1, 2, 3, 4].map((group) => Number(match[group] ?? 0));
  return { years: years ?? 0, months: months ?? 0, days: (weeks ?? 0) * 7 + (days ?? 0) };
}

/** Adds the duration to `epochSeconds`, or subtracts it, in the UTC calendar. */
export function addCalendarDuration(epochSeconds: number, duration: CalendarDuration, direction: 1 | -1 = 1): number {
  const date = new Date(epochSeconds * 1000);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + direction * (duration.years * 12 + duration.months));
  const lastOfMonth = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, lastOfMonth));
  date.setUTCDate(date.getUTCDate() + direction * duration.days);
  return Math.floor(date.getTime() / 1000);
}

/** Length in days, with months of 30 and years of 365 days: accurate enough to compare with a minimum. */
export function approximateDays(duration: CalendarDuration): number {
  return duration.years * 365 + duration.months * 30 + duration.days;
}
