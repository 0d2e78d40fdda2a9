import type { Account } from '../accounts/account.ts';
import { findAccountKeyUse } from '../accounts/key-use.ts';
import { abortAfter } from '../azure/deadline.ts';
import { describeError } from '../azure/failure.ts';
import { getLastName, toComparableId } from '../azure/resource-id.ts';
import { type KeyAccessServices, readIdentityState } from '../identities/check-key-access.ts';
import { findKeyAccounts, type KeyAccountServices } from '../identities/find-key-accounts.ts';
import { findKeyIdentity } from '../identities/key-access.ts';
import { type KeyGrant, type KeyGrants, readGrantsOfKey } from '../identities/key-grants.ts';
import type { GraphResource, ResourceGraph } from '../key-users/resource-graph-client.ts';
import { createVaultUseQuery, listUsesOfVault } from '../key-users/resource-graph-query.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';

export interface RolePlanServices extends KeyAccountServices, KeyAccessServices {
  readonly resourceGraph: Pick<ResourceGraph, 'query'>;
}

/** What a revocation of a key by roles removes, and what it does not reach. */
export interface RolePlan extends KeyGrants {
  /** Accounts that use the key. */
  readonly accounts: readonly Account[];
  /** Principals of the key's users, lower case. */
  readonly userIds: readonly string[];
  /** Other resources that use another key of the vault with one of these identities: `stdata01: kv-files/data-key`. */
  readonly others: readonly string[];
  /** Users of the key that could not be read or resolved, with the reason. While there is one, nothing is complete. */
  readonly unread: readonly string[];
}

const IDENTITY_ID =
  /\/subscriptions\/[^"/]+\/resourceGroups\/[^"/]+\/providers\/Microsoft\.ManagedIdentity\/userAssignedIdentities\/[\w-]+/gi;
const PRINCIPAL_ID = /"principalId":"([0-9a-f-]{36})"/gi;

/**
 * Reads the users of a key, the roles by which they reach it, and what else these roles serve.
 *
 * @param ms deadline for finding the users
 * @throws the SDK's error if the roles of the key cannot be read
 */
export async function planRoles(key: ManagedKey, services: RolePlanServices, ms: number): Promise<RolePlan> {
  const listed: Account[] = [];
  const unread: string[] = [];
  const rows: GraphResource[] = [];

  const readRows = async (signal: AbortSignal): Promise<void> => {
    try {
      for await (const row of services.resourceGraph.query(createVaultUseQuery(key.vault), signal)) rows.push(row);
    } catch (error) {
      unread.push(`resources of other services: ${describeError(error)}`);
    }
  };

  const [found] = await abortAfter(
    (signal) =>
      Promise.all([
        findKeyAccounts(key, services, { ms, listed: (account) => listed.push(account) }, signal),
        readRows(signal),
      ]),
    ms,
  );
  unread.push(...found.unread);

  const users = new Set<string>();
  for (const account of found.accounts) {
    const identity = findKeyIdentity(account);
    if ('principalId' in identity) users.add(identity.principalId.toLowerCase());
    // Without an identity the account cannot use the key; with one of another tenant it may.
    if ('unknown' in identity) unread.push(`${account.name}: ${identity.unknown}`);
  }

  const rowsOfKey = rows.filter((row) => !isAccount(row) && usedKeys(row, key).has(key.name.toLowerCase()));
  const identified = new Map<string, ReadonlySet<string>>();
  for (const row of rows.filter((one) => !isAccount(one))) {
    const { principals, why } = await identitiesOf(row, services);
    identified.set(row.id, principals);
    if (!rowsOfKey.includes(row)) continue;

    for (const id of principals) users.add(id);
    if (why.length > 0 || principals.size === 0) {
      unread.push(`${row.name}: ${why.join('; ') || 'Azure does not show with which identity it uses the key.'}`);
    }
  }

  const userIds = [...users].sort();
  const grants = await readGrantsOfKey(key, userIds, services);

  return {
    ...grants,
    accounts: found.accounts,
    userIds,
    others: listOthers(key, grants.removable, { listed, rows, identified }),
    unread,
  };
}

function isAccount({ type }: GraphResource): boolean {
  return type === 'microsoft.storage/storageaccounts';
}

function usedKeys(row: GraphResource, { vault }: ManagedKey): ReadonlySet<string> {
  return new Set(listUsesOfVault(row, vault).keys());
}

/** The principals of a resource's identities. A row may name an identity only by its ARM id. */
async function identitiesOf(
  { identity, properties }: GraphResource,
  services: Pick<KeyAccessServices, 'identities'>,
): Promise<{ readonly principals: ReadonlySet<string>; readonly why: readonly string[] }> {
  const text = JSON.stringify([identity, properties]);
  const principals = new Set([...text.matchAll(PRINCIPAL_ID)].map(([, id = '']) => id.toLowerCase()));
  const ids = new Set((text.match(IDENTITY_ID) ?? []).map(toComparableId));
  const why: string[] = [];

  for (const id of ids) {
    const state = await readIdentityState(id, services);
    if (state.is === 'there') principals.add(state.principalId.toLowerCase());
    if (state.is === 'unknown') why.push(state.why);
  }

  return { principals, why };
}

interface Sources {
  readonly listed: readonly Account[];
  readonly rows: readonly GraphResource[];
  readonly identified: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What uses another key of the vault with an identity whose role at the whole vault is removed. */
function listOthers(key: ManagedKey, removable: readonly KeyGrant[], { listed, rows, identified }: Sources): string[] {
  const atVault = removable.filter(({ scope }) => !/\/keys\/[^/]+$/i.test(scope));
  const losing = new Set(atVault.map(({ principalId }) => principalId.toLowerCase()));
  const hasGroup = atVault.some(({ principalType }) => principalType === 'Group');
  const isLosing = (principals: Iterable<string>) => hasGroup || [...principals].some((id) => losing.has(id));
  const others = new Set<string>();

  for (const account of listed) {
    const use = findAccountKeyUse(account.encryption);
    const identity = findKeyIdentity(account);
    if (!use || use.vaultUri !== key.vault.uri || !('principalId' in identity)) continue;
    if (use.keyName.toLowerCase() === key.name.toLowerCase()) continue;
    if (isLosing([identity.principalId.toLowerCase()])) others.add(`${account.name}: ${key.vault.name}/${use.keyName}`);
  }

  for (const row of rows.filter((one) => !isAccount(one))) {
    if (!isLosing(identified.get(row.id) ?? [])) continue;
    for (const name of usedKeys(row, key)) {
      if (name !== key.name.toLowerCase()) others.add(`${getLastName(row.id)}: ${key.vault.name}/${name}`);
    }
  }

  return [...others].sort();
}
