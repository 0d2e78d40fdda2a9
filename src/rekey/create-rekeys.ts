import type { InSight } from '../accounts/in-sight.ts';
import { StandingRekeys } from '../accounts/standing-rekeys.ts';
import { APPROVALS_CONTAINER, approvalStore } from '../approvals/approval-store-client.ts';
import { auditContainer } from '../audit/audit-storage-client.ts';
import type { TokenCredential } from '../azure/credential.ts';
import type { RekeyStore } from '../fleet/rekey-order.ts';
import { createRekeyStore } from '../fleet/rekey-store-client.ts';
import type { Settings } from '../settings/settings.ts';
import { approvedOrders, type RekeyApproved } from './approved-order.ts';

/** Standing orders, and what the reconcile of an account has to know of them. */
export interface StandingRekeyServices {
  readonly rekeys: RekeyStore;
  readonly standingRekeys: StandingRekeys;
  readonly rekeyApproved: RekeyApproved;
}

/** No call is made yet. */
export function createRekeys(
  settings: Settings,
  inSight: InSight,
  identity: TokenCredential,
  now: () => Date,
): StandingRekeyServices {
  const rekeys = createRekeyStore(settings, () => identity);
  const { vaults, access } = settings;
  const approvals = approvalStore(auditContainer(settings, () => identity, APPROVALS_CONTAINER));
  const rekeyApproved = approvedOrders(approvals, { vaults, needed: access.rekeyApprovals });
  const standingRekeys = new StandingRekeys(rekeys, { vaults, rekeyApproved, inSight }, now);
  return { rekeys, rekeyApproved, standingRekeys };
}
