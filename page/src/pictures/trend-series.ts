import type { TrendDay } from '../api/types.ts';
import type { Tone } from '../ui/tone.ts';

/** One series of a chart: a value per day. */
export interface TrendFigure {
  readonly label: string;
  readonly tone: Tone;
  readonly of: (day: TrendDay) => number | undefined;
}

export interface TrendChart {
  readonly title: string;
  readonly unit: 'count' | 'seconds';
  /** Bars next to each other, or lines: solid, dashed, dotted in this order. */
  readonly shape: 'bars' | 'line';
  readonly figures: readonly TrendFigure[];
  /** A line that the figures should stay below. */
  readonly promise?: { readonly label: string; readonly value: number };
}

export const TREND_CHARTS: readonly TrendChart[] = [
  {
    title: 'From the new version to the last account',
    unit: 'seconds',
    shape: 'line',
    figures: [
      { label: 'p50', tone: 'info', of: ({ events }) => events?.rotations.p50Seconds },
      { label: 'p95', tone: 'warn', of: ({ events }) => events?.rotations.p95Seconds },
    ],
    promise: { label: 'promise for 500 accounts in one region', value: 60 },
  },
  {
    title: 'Findings of the last check of the day',
    unit: 'count',
    shape: 'line',
    figures: [
      { label: 'errors', tone: 'bad', of: ({ findings }) => findings?.errors },
      { label: 'warnings', tone: 'warn', of: ({ findings }) => findings?.warnings },
    ],
  },
  {
    title: 'Accounts and scopes behind',
    unit: 'count',
    shape: 'bars',
    figures: [{ label: 'behind', tone: 'warn', of: ({ findings }) => findings?.behind }],
  },
  {
    title: 'What happened to keys',
    unit: 'count',
    shape: 'bars',
    figures: [
      { label: 'rotations finished', tone: 'info', of: ({ events }) => events?.rotations.finished },
      { label: 'revocations', tone: 'bad', of: ({ events }) => events?.revocations },
      { label: 'restores', tone: 'good', of: ({ events }) => events?.restores },
    ],
  },
];

const DAY_MS = 86_400_000;

/** Days as uPlot needs them: numbers of days since 1970, and the values of each figure; null: unknown. */
export function trendData(
  days: readonly TrendDay[],
  { figures, unit }: TrendChart,
): [number[], ...(number | null)[][]] {
  const least = unit === 'seconds' ? 1 : 0;

  return [
    days.map(({ day }) => Date.parse(day) / DAY_MS),
    ...figures.map(({ of }) =>
      days.map((day) => {
        const value = of(day);
        return value === undefined ? null : Math.max(least, value);
      }),
    ),
  ];
}

/** Labels of a logarithmic axis of seconds. */
const SECONDS = [1, 10, 60, 300, 1_800, 3 * 3_600, 86_400, 7 * 86_400];

/** The end and the labels of the axis of a figure with the maximum `most`. */
export function valueAxis(
  unit: TrendChart['unit'],
  most: number,
): { readonly end: number; readonly ticks: readonly number[] } {
  if (unit === 'seconds') {
    const end = SECONDS.find((one) => one > most) ?? most * 2;
    return { end, ticks: SECONDS.filter((one) => one <= end) };
  }

  const step = [1, 2, 5].flatMap((n) => [1, 10, 100, 1_000, 10_000, 100_000].map((ten) => n * ten));
  const size = step.sort((a, b) => a - b).find((one) => most / one <= 4) ?? Math.ceil(most / 4);
  const steps = Math.max(1, Math.ceil(most / size));

  return { end: steps * size, ticks: Array.from({ length: steps + 1 }, (_, n) => n * size) };
}

const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** `24 Nov` for a number of days since 1970. */
export function dayLabel(day: number): string {
  return DAY.format(day * DAY_MS);
}
