const DAY_MS = 86_400_000;
/** Free part of the width at each end. */
const MARGIN = 0.03;
/** Maximum number of labels, for a phone. */
const MOST_TICKS = 5;

interface Tick {
  readonly at: number;
  readonly label: string;
}

/** A span of time as a horizontal axis. Times are in milliseconds, positions in percent of the width. */
export interface TimeScale {
  readonly place: (at: number) => number;
  readonly ticks: readonly Tick[];
}

/** An axis that contains all of these times, and at least a day. */
export function timeScale(times: readonly number[]): TimeScale {
  const first = Math.min(...times);
  const span = Math.max(Math.max(...times) - first, DAY_MS);
  const from = first - (span * MARGIN) / (1 - 2 * MARGIN);
  const to = first + span + (span * MARGIN) / (1 - 2 * MARGIN);
  const place = (at: number): number => Math.min(100, Math.max(0, ((at - from) / (to - from)) * 100));
  return { place, ticks: ticksBetween(from, to) };
}

const DAYS = [1, 2, 5, 10] as const;
const MONTHS = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1_200] as const;
const AS_DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const AS_MONTH = new Intl.DateTimeFormat('en-GB', { month: 'short', year: 'numeric', timeZone: 'UTC' });
const AS_YEAR = new Intl.DateTimeFormat('en-GB', { year: 'numeric', timeZone: 'UTC' });

/** Ticks at the smallest step of days, months or years that gives at most {@link MOST_TICKS}. */
function ticksBetween(from: number, to: number): readonly Tick[] {
  for (const step of DAYS) {
    if ((to - from) / (step * DAY_MS) > MOST_TICKS) continue;
    const first = Math.ceil(from / DAY_MS);
    return upTo(to, (n) => (first + n * step) * DAY_MS, AS_DAY);
  }

  for (const step of MONTHS) {
    if ((to - from) / (step * 30.4 * DAY_MS) > MOST_TICKS) continue;

    const start = new Date(from);
    const first = Math.ceil((start.getUTCFullYear() * 12 + start.getUTCMonth() + 1) / step) * step;

    // Year 0 of `Date.UTC` means 1900.
    return upTo(to, (n) => Date.UTC(0, first + n * step - 1900 * 12), step >= 12 ? AS_YEAR : AS_MONTH);
  }

  return [];
}

function upTo(to: number, at: (n: number) => number, format: Intl.DateTimeFormat): readonly Tick[] {
  const ticks: Tick[] = [];
  for (let n = 0; at(n) < to; n += 1) ticks.push({ at: at(n), label: format.format(at(n)) });
  return ticks;
}

/** How far away a moment is, in its largest unit: `3 h`, `12 d`, `5 months`, `2 years`. */
export function distance(ms: number): string {
  const days = Math.abs(ms) / DAY_MS;
  if (days < 1) return `${Math.max(1, Math.round(days * 24))} h`;
  if (days < 60) return `${Math.round(days)} d`;
  const months = Math.round(days / 30.44);
  return months < 24 ? `${months} months` : `${Math.round(days / 365.25)} years`;
}
