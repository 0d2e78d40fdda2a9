import { listUnreadOfIdentity } from '../drift/gather/gather-identities.ts';
import { listUnreadOfAccess } from '../drift/gather/vault-roles.ts';
import { createFindingId, FAILED_READS } from '../drift/report/finding-ids.ts';
import type { Finding } from '../drift/report/report.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import { type AccountFacts, listUses } from './account-facts.ts';
import { findReported, type LastCheck } from './last-check.ts';
import { LIVE_REASONS } from './live-findings.ts';

/** Reasons that the index and the current versions of the keys decide. */
const LIVE: ReadonlySet<string> = new Set(LIVE_REASONS);
/** Findings on a key that stop its users. */
const KEY_STOPS: ReadonlySet<string> = new Set(['RevocationOpen', 'KeyOperationsMissing']);
/** Findings that no longer apply once the account uses a key. */
const WITHOUT_KEY: ReadonlySet<string> = new Set(['NotCustomerManaged', 'NoLongerCustomerManaged']);

/** Findings of the last check about the account, its keys, their vaults and its identities, which still hold. */
export function listReportedFindings(facts: AccountFacts, check: LastCheck): readonly Finding[] {
  const { account, managedKeys, reported } = facts;
  const areVersionsRead = managedKeys.every(({ versions }) => versions !== undefined);
  const isHolding = ({ reason }: Finding): boolean => {
    if (FAILED_READS.has(reason)) return false;
    if (account.key !== undefined && WITHOUT_KEY.has(reason)) return false;
    return !(areVersionsRead && LIVE.has(reason));
  };

  const vaults = new Set(managedKeys.map(({ key }) => key.vault));
  const onKeys = managedKeys.flatMap(({ key }) => findReported(key.id, check));
  const identities = new Set(listUses(facts).map(({ identity }) => identity));

  return [
    ...reported.filter(isHolding),
    ...[...vaults].flatMap((vault) => listOfVault(vault, check)),
    ...onKeys.filter(({ reason }) => KEY_STOPS.has(reason)).filter(isHolding),
    ...[...identities].flatMap((identity) => listOfIdentity(identity, check)),
  ];
}

/** Of the failed reads of a vault, only those that hide whether its keys are usable. */
function listOfVault(vault: ManagedVault, check: LastCheck): readonly Finding[] {
  const hiding = new Set(listUnreadOfAccess(vault).map((what) => createFindingId('Unreadable', vault.id, what)));

  return findReported(vault.id, check).filter(({ id, reason }) => !FAILED_READS.has(reason) || hiding.has(id));
}

/** Failed reads of an identity, which may have been deleted. */
function listOfIdentity(identity: string | undefined, check: LastCheck): readonly Finding[] {
  return listUnreadOfIdentity(identity).flatMap(({ resource, what }) => {
    const unread = createFindingId('Unreadable', resource, what);
    return findReported(resource, check).filter(({ id }) => id === unread);
  });
}
