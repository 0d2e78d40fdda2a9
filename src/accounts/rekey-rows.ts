import { parseResourceId } from '../azure/resource-id.ts';
import { countsAsFailed, isSubjectSettled, type RekeyOrder, type RekeyStore } from '../fleet/rekey-order.ts';
import { type InSight, usesLookedAfter } from './in-sight.ts';

/** An account that an order is to move. */
interface OpenAccount {
  /** ARM id. */
  readonly id: string;
  readonly subscriptionId: string;
  readonly location: string;
  /** It goes back, and the order has moved none of its encryption scopes. */
  readonly scopes?: 'none';
}

/** The accounts that an order has had to do with, by ARM id in lower case. */
export interface Rows {
  /** Not where they are to be yet; those last that have to wait for a list of their scopes. */
  readonly open: ReadonlyMap<string, OpenAccount>;
  readonly settled: ReadonlySet<string>;
  /** Tried, and waiting for a person. */
  readonly failed: ReadonlySet<string>;
  /** Those of them with whom all of it stops. */
  readonly stopping: ReadonlySet<string>;
}

export interface RowServices {
  readonly rekeys: Pick<RekeyStore, 'subjects'>;
  readonly inSight: InSight;
}

/** Forward, what was not moved by the time its subscription was left out is not the order's any more; back goes all that was. */
export async function unsettled(order: RekeyOrder, { rekeys, inSight }: RowServices): Promise<Rows> {
  const isBack = order.state === 'takingBack';
  const isLookedAfter = usesLookedAfter(isBack ? undefined : await inSight());
  const open = new Map<string, OpenAccount>();
  const settled = new Set<string>();
  const failed = new Set<string>();
  const stopping = new Set<string>();
  const withScopes = new Set<string>();
  for await (const subject of rekeys.subjects(order.id)) {
    const id = parseResourceId(subject.account);
    if (!id) continue;
    const account = id.id.toLowerCase();
    if (subject.scope !== undefined) withScopes.add(account);
    const isDone = isSubjectSettled(subject, order) && !subject.failure;
    if (!isDone && !isLookedAfter(subject)) continue;
    if (!isSubjectSettled(subject, order)) {
      open.set(account, { id: id.id, subscriptionId: id.subscriptionId, location: subject.location });
    } else if (subject.failure) {
      failed.add(account);
      if (countsAsFailed(subject.failure, order)) stopping.add(account);
    } else settled.add(account);
  }
  // One of an account's parts is enough.
  for (const account of open.keys()) settled.delete(account);
  for (const account of failed) {
    settled.delete(account);
    open.delete(account);
  }
  return { open: isBack ? withoutListsFirst(open, withScopes) : open, settled, failed, stopping };
}

/** A list of scopes may be waited for, for minutes: not by those of which no scope has moved. */
function withoutListsFirst(
  open: ReadonlyMap<string, OpenAccount>,
  withScopes: ReadonlySet<string>,
): ReadonlyMap<string, OpenAccount> {
  const [last, first] = [true, false].map((has) => [...open].filter(([account]) => withScopes.has(account) === has));
  return new Map([...(first ?? []).map(([id, one]) => [id, { ...one, scopes: 'none' }] as const), ...(last ?? [])]);
}
