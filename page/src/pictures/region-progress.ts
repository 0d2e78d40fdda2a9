import type { RotationSummary } from '../api/types.ts';

/** The progress of a rotation in one region. */
export interface RegionProgress {
  readonly region: string;
  readonly subscriptions: number;
  readonly moved: number;
  readonly waiting: number;
  readonly failed: number;
  readonly perMinute: number;
  /** The end of the last of its subscriptions. */
  readonly expectedEnd: string | undefined;
}

/** The number of minutes that `movedLately` counts. */
const LATELY_MINUTES = 5;
/** Minimum age of a rotation for its rate: a new one would have an infinite rate. */
const LEAST_MINUTES = 1 / 60;

/** Progress by region, summed over its subscriptions; the region with the most pending moves first. */
export function regionsOf(
  { places = [], startedOn }: Pick<RotationSummary, 'places' | 'startedOn'>,
  now: number,
): readonly RegionProgress[] {
  const age = startedOn === undefined ? LATELY_MINUTES : (now - Date.parse(startedOn)) / 60_000;
  const minutes = Math.min(LATELY_MINUTES, Math.max(LEAST_MINUTES, age));
  const regions = new Map<string, RegionProgress>();

  for (const { region, moved, waiting, failed, movedLately, expectedEnd } of places) {
    const before = regions.get(region);
    const ends = [before?.expectedEnd, expectedEnd].filter((end) => end !== undefined).sort();
    regions.set(region, {
      region,
      subscriptions: (before?.subscriptions ?? 0) + 1,
      moved: (before?.moved ?? 0) + moved,
      waiting: (before?.waiting ?? 0) + waiting,
      failed: (before?.failed ?? 0) + failed,
      perMinute: (before?.perMinute ?? 0) + movedLately / minutes,
      expectedEnd: ends.at(-1),
    });
  }

  return [...regions.values()]
    .filter(({ moved, waiting, failed }) => moved + waiting + failed > 0)
    .sort((a, b) => b.waiting - a.waiting || (a.region < b.region ? -1 : 1));
}

/** `9.8 a second`, `20 a minute`, `none in 5 min`. */
export function rateWords(perMinute: number): string {
  if (perMinute >= 60) return `${(perMinute / 60).toFixed(1)} a second`;
  if (perMinute >= 1) return `${Math.round(perMinute)} a minute`;
  return perMinute > 0 ? 'under 1 a minute' : `none in ${LATELY_MINUTES} min`;
}
