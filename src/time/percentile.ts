/** Rounding of the share below; far less than one value of a million. */
const TOLERANCE = 1e-9;

/**
 * The least of the values that so many in a hundred do not exceed: nearest rank. Where some ended unseen, of which only a
 * time is known that they did exceed, they count as that and no more (Kaplan–Meier).
 *
 * @param exceeded those times
 * @returns undefined of none, and where so many were not seen to end
 */
export function percentile(
  values: readonly number[],
  percent: number,
  exceeded: readonly number[] = [],
): number | undefined {
  const all = [...values.map((at) => ({ at, seen: true })), ...exceeded.map((at) => ({ at, seen: false }))];
  // What ended at the moment when another was given up ended before.
  all.sort((a, b) => a.at - b.at || Number(b.seen) - Number(a.seen));
  let lasting = 1;
  for (const [index, { at, seen }] of all.entries()) {
    if (!seen) continue;
    lasting *= 1 - 1 / (all.length - index);
    if (1 - lasting >= percent / 100 - TOLERANCE) return at;
  }
  return undefined;
}
