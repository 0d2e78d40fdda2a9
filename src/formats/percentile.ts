/** Tolerance for rounding errors of a cumulative share; smaller than the share of one value among a million. */
const TOLERANCE = 1e-9;

/**
 * Returns a percentile by nearest rank. For durations without an observed end, only a lower bound is known; they count
 * as censored values (Kaplan–Meier).
 *
 * @param exceeded lower bounds of the durations without an observed end
 * @returns undefined without values, or if too many durations have no observed end
 */
export function percentile(
  values: readonly number[],
  percent: number,
  exceeded: readonly number[] = [],
): number | undefined {
  const all = [...values.map((at) => ({ at, seen: true })), ...exceeded.map((at) => ({ at, seen: false }))];

  // At equal times, an observed end counts before a censored value.
  all.sort((a, b) => a.at - b.at || Number(b.seen) - Number(a.seen));

  let lasting = 1;

  for (const [index, { at, seen }] of all.entries()) {
    if (!seen) continue;
    lasting *= 1 - 1 / (all.length - index);
    if (1 - lasting >= percent / 100 - TOLERANCE) return at;
  }

  return undefined;
}
