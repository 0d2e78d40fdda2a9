import type { ApprovalRequest } from '../approvals/approval.ts';
import { isUnaltered } from '../approvals/approval.ts';
import type { RekeyData, RekeyOrder } from '../fleet/rekey-order.ts';
import { sameKeyName } from '../keys/key-identifier.ts';
import { type ManagedVaults, managedKey } from '../keys/managed-vaults.ts';

export interface ApprovalRead {
  readonly get: (id: string) => Promise<{ readonly request: ApprovalRequest } | undefined>;
}

/** Whether an order may move anything, there or back. Errors are those of the store of requests. */
export type RekeyApproved = (order: RekeyOrder) => Promise<boolean>;

/**
 * Whether orders were approved where others have to (`CMK_APPROVALS`). What the order says is not believed: its row is in a
 * table, the requests are blobs of a container of their own, and a right to write the one is none to write the other. What was
 * approved once stays approved, so it is asked once for each order.
 *
 * @param needed so many people beside whoever ordered it have to have approved it by now; 0: nobody is asked
 */
export function approvedOrders(
  approvals: ApprovalRead,
  { needed, vaults }: { readonly needed: number; readonly vaults: ManagedVaults },
): RekeyApproved {
  const approved = new Set<string>();
  return async (order) => {
    if (needed === 0) return true;
    const { id, from, to, maxFailures, by, approval } = order;
    if (approval === undefined || !/^[0-9a-f]{40}$/.test(approval.id)) return false;
    const what = JSON.stringify([id, from, to, maxFailures, by.objectId, approval.id]);
    if (approved.has(what)) return true;
    const kept = await approvals.get(approval.id);
    if (!isApprovedOrder(order, kept?.request, needed, vaults)) return false;
    approved.add(what);
    return true;
  };
}

/** Whether a request is about this very order, was approved by so many people, and was carried out. */
export function isApprovedOrder(
  { id, from, to, maxFailures, by, approval }: RekeyData,
  request: ApprovalRequest | undefined,
  needed: number,
  vaults: ManagedVaults,
): boolean {
  // The id stands for all that was asked for.
  if (request?.action !== 'rekey' || !isUnaltered(request)) return false;
  if (request.id !== id || approval?.id !== id) return false;
  const isKey = (order: string, vaultName: string, name: string) => {
    const vault = vaults.byName(vaultName);
    return vault !== undefined && sameKeyName(managedKey(vault, name).id, order);
  };
  const isAsOrdered =
    isKey(from, request.vault, request.key) &&
    isKey(to, request.to.vault, request.to.key) &&
    maxFailures === request.maxFailures &&
    by.objectId === request.askedBy.objectId;
  if (!isAsOrdered || (request.state !== 'running' && request.state !== 'done')) return false;
  const asker = request.askedBy.objectId.toLowerCase();
  const people = request.approvedBy.filter(({ kind }) => kind === 'person');
  const others = new Set(people.map(({ objectId }) => objectId.toLowerCase()).filter((one) => one !== asker));
  return others.size >= needed;
}
