import { comparableId } from '../../azure/resource-id.ts';
import type { Contest } from '../../orders/standing-orders.ts';
import { DAY_MS, HOUR_MS } from '../../time/spans.ts';
import type { Finding } from '../report.ts';
import type { ChangeRow } from './change-rows.ts';
import { resourceOf } from './focus.ts';
import { RELEASE } from './release-change.ts';

/** Maximum number of repairs of one use per hour. After a further change, an operator must release the account. */
const MOST_REPAIRS = 2;
/** Maximum number of uses per row. A table property holds 64 KiB. */
const MOST_NOTED = 100;

/** Adds pending repairs to the rows of accounts. @param stamps Azure's time stamps, by comparable id */
export function withBroken(
  rows: readonly ChangeRow[],
  repairable: readonly Pick<Finding, 'resource'>[],
  stamps: ReadonlyMap<string, string>,
): ChangeRow[] {
  return rows.map((row) => {
    if (row.concern !== 'account') return row;
    const broken = repairable.flatMap(({ resource }) => {
      const use = comparableId(resource);
      const stamp = resourceOf(use) === resourceOf(row.at) ? stamps.get(use) : undefined;
      return stamp ? [{ use, stamp }] : [];
    });
    const known = (one: { use: string; stamp: string }) =>
      row.broken?.some(({ use, stamp }) => use === one.use && stamp === one.stamp);
    const fresh = broken.filter((one) => !known(one));
    return fresh.length > 0 ? { ...row, broken: [...(row.broken ?? []), ...fresh].slice(0, MOST_NOTED) } : row;
  });
}

/**
 * Returns a contest for each account whose use needs a third repair within an hour. Each change of a use has a different
 * time stamp. A release resets the count.
 *
 * @param recent rows of the last hour
 */
export function newContests(
  repairable: readonly Pick<Finding, 'resource'>[],
  recent: readonly ChangeRow[],
  now: Date,
  newId: () => string,
): Contest[] {
  const uses = Map.groupBy(new Set(repairable.map(({ resource }) => comparableId(resource))), resourceOf);
  return [...uses].flatMap(([account, broken]): Contest[] => {
    const rows = recent
      .filter(({ concern, at }) => concern === 'account' && resourceOf(at) === account)
      .sort((a, b) => Date.parse(a.notedOn) - Date.parse(b.notedOn));
    const released = rows.findLast(({ changedBy }) => changedBy.operation === RELEASE)?.notedOn;
    const since = Math.max(now.getTime() - HOUR_MS, released === undefined ? 0 : Date.parse(released));
    const counted = rows.filter(({ notedOn }) => Date.parse(notedOn) >= since);
    const stampsOf = (use: string) =>
      new Set(counted.flatMap((row) => row.broken ?? []).flatMap((one) => (one.use === use ? one.stamp : [])));
    const last = counted.at(-1);
    if (!last || !broken.some((use) => stampsOf(use).size > MOST_REPAIRS)) return [];
    const { objectId, name, client } = last.changedBy;
    const by = { ...(objectId ? { objectId } : {}), ...(name ? { name } : {}), ...(client ? { client } : {}) };
    const until = new Date(now.getTime() + DAY_MS).toISOString();
    return [{ id: newId(), account: last.at, since: now.toISOString(), until, by }];
  });
}
