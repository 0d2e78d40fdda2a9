import type { Dependent } from '../accounts/dependent.ts';
import type { InSight } from '../accounts/in-sight.ts';
import { stopsOrder } from '../accounts/rekey-task.ts';
import { parseResourceId } from '../azure/resource-id.ts';
import { isSubjectSettled, type RekeyOrder, type RekeyStore } from '../fleet/rekey-order.ts';
import { LeftOut } from './left-out.ts';

/** The accounts that an order has had to do with, by ARM id in lower case. */
export interface Rows {
  /** Not where they are to be yet. */
  readonly open: ReadonlyMap<string, Dependent>;
  readonly settled: ReadonlySet<string>;
  /** Tried, and waiting for a person. */
  readonly failed: ReadonlySet<string>;
  /** Those of them with whom all of it stops. */
  readonly stopping: ReadonlySet<string>;
}

interface RowServices {
  readonly rekeys: Pick<RekeyStore, 'subjects'>;
  readonly inSight: InSight;
}

/** Forward, what was not moved by the time its subscription was left out is not the order's any more; back goes all that was. */
export async function unsettled(order: RekeyOrder, { rekeys, inSight }: RowServices): Promise<Rows> {
  const leftOut = new LeftOut(order.state === 'takingBack' ? undefined : await inSight());
  const open = new Map<string, Dependent>();
  const settled = new Set<string>();
  const failed = new Set<string>();
  const stopping = new Set<string>();
  for await (const subject of rekeys.subjects(order.id)) {
    const id = parseResourceId(subject.account);
    if (!id) continue;
    const account = id.id.toLowerCase();
    const isDone = isSubjectSettled(subject, order) && !subject.failure;
    if (!isDone && leftOut.has(subject)) continue;
    if (!isSubjectSettled(subject, order)) {
      open.set(account, { id: id.id, subscriptionId: id.subscriptionId, location: subject.location });
    } else if (subject.failure) {
      failed.add(account);
      if (stopsOrder(subject.failure, order)) stopping.add(account);
    } else settled.add(account);
  }
  // One of an account's parts is enough.
  for (const account of open.keys()) settled.delete(account);
  for (const account of failed) {
    settled.delete(account);
    open.delete(account);
  }
  return { open, settled, failed, stopping };
}
