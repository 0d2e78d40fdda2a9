import type { KeyUse } from '../accounts/key-use.ts';
import type { UseRow } from '../index/use-row.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { KeyState, Order, VersionList } from './key-states.ts';
import { type Plan, planKeyUse, planRekey } from './plan.ts';

export interface UsePlan {
  readonly plan: Plan;
  /** Start of the older version list, in milliseconds. */
  readonly listedAt: number;
  /** The order that moves the use. */
  readonly order?: Order;
}

/**
 * Plans a use: an order that covers it, or else its key's own versions.
 *
 * @param isExempt whether the drift check must not move the use
 */
export function planUse(
  row: UseRow,
  use: KeyUse,
  { key, order, orderVersions }: { readonly key: ManagedKey } & Pick<KeyState, 'order' | 'orderVersions'>,
  versions: VersionList,
  isExempt: boolean,
  now: Date,
): UsePlan {
  if (orderVersions && order?.covers(row)) {
    const from = { key, versions: versions.value };
    const plan = planRekey(use, from, { key: order.to, versions: orderVersions.value }, now);
    if (plan) return { plan, listedAt: Math.min(versions.begunAt, orderVersions.begunAt), order };
  }

  return { plan: planKeyUse(use, versions.value, now, isExempt), listedAt: versions.begunAt };
}
