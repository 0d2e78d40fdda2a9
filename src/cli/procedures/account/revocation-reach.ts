import pMap from 'p-map';
import { type Account, listOwnKeyServices, type PlatformScope, type Scope } from '../../../accounts/account.ts';
import { findAccountKeyUse, findScopeKeyUse, isUseOfKey } from '../../../accounts/key-use.ts';
import { withDeadline } from '../../../azure/deadline.ts';
import { describeError } from '../../../azure/failure.ts';
import { CONCURRENCY } from '../../../azure/limits.ts';
import { readOnce } from '../../../azure/read-once.ts';
import { getKnown } from '../../../azure/read-or-why.ts';
import { isSameResource, toComparableId } from '../../../azure/resource-id.ts';
import { CmkError } from '../../../errors/errors.ts';
import { findKeyIdentity, findUserAssignedIdentity } from '../../../identities/key-access.ts';
import { type KeyGrant, readKeyGrants } from '../../../identities/key-grants.ts';
import type { GraphResource } from '../../../key-users/resource-graph-client.ts';
import { createVaultUseQuery } from '../../../key-users/resource-graph-query.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../../../keys/key-identifier.ts';
import { createManagedKey, type ManagedKey } from '../../../keys/managed-vaults.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { findVault, toManagedVault } from '../resolve.ts';
import { readScopes } from './account-verify.ts';

// What the revocation of one account reaches beside its own data under its key, and what it does not reach.

const LISTING_MS = 20_000;

/** Principal id of the identity with which an account uses its key, in lower case. */
export function findPrincipal(account: Account): string | undefined {
  const identity = findKeyIdentity(account);
  return 'principalId' in identity ? identity.principalId.toLowerCase() : undefined;
}

/**
 * Lists the ARM ids of the other resources that use a key of the vault with the same identity: they lose access to it
 * too. For a system-assigned identity it reads nothing, because only one account has it.
 *
 * @throws {@link CmkError} `SubscriptionUnreadable` if they cannot be listed, unless the operator accepts that the
 *   identity is shared
 */
export async function listSharingResources(
  account: Account,
  key: ManagedKey,
  shared: boolean,
  { azure, journal }: Operation,
): Promise<readonly string[]> {
  const principal = findPrincipal(account);
  if (principal === undefined || principal === account.systemPrincipalId?.toLowerCase()) return [];

  const others = new Set<string>();
  try {
    await withDeadline(LISTING_MS, 'The resources were not listed', (signal) =>
      Promise.all([
        addAccounts(others, account, key, azure, signal),
        addResources(others, account, key, azure, signal),
      ]),
    );
  } catch (error) {
    const why = `The other resources with the identity of ${account.name} cannot be listed: ${describeError(error)}`;

    if (!shared) {
      throw new CmkError(
        'SubscriptionUnreadable',
        `${why} Nothing was changed.`,
        'Run it again; if it fails again, add --shared, disable an encryption scope of the account, or revoke the key.',
        { cause: error },
      );
    }

    journal.note(why);
  }

  return [...others].sort();
}

async function addAccounts(
  others: Set<string>,
  account: Account,
  key: ManagedKey,
  azure: Azure,
  signal: AbortSignal,
): Promise<void> {
  const principal = findPrincipal(account);
  const list = async (subscription: string): Promise<void> => {
    for await (const other of azure.accounts.list(subscription, signal)) {
      if (isSameResource(other.id, account.id) || findPrincipal(other) !== principal) continue;
      if (await usesVaultOf(key, other, azure)) others.add(other.id);
    }
  };

  await pMap(await azure.subscriptions.list(), list, { concurrency: CONCURRENCY });
}

/** Whether the account or one of its scopes uses a key of that vault. Unreadable scopes count as such. */
async function usesVaultOf({ vault }: ManagedKey, account: Account, azure: Azure): Promise<boolean> {
  if (findAccountKeyUse(account.encryption)?.vaultUri === vault.uri) return true;

  const scopes = await readScopes(account, azure);
  if ('unread' in scopes) return true;
  return scopes.value.filter(hasOwnKey).some((scope) => findScopeKeyUse(scope)?.vaultUri === vault.uri);
}

/** Adds the resources of other services that use a key of the vault with the same identity. */
async function addResources(
  others: Set<string>,
  account: Account,
  { vault }: ManagedKey,
  { resourceGraph }: Azure,
  signal: AbortSignal,
): Promise<void> {
  const identity = toComparableId(findUserAssignedIdentity(account) ?? '');
  const names = ({ identity: attached, properties }: GraphResource): boolean =>
    toComparableId(JSON.stringify([attached, properties])).includes(identity);

  for await (const row of resourceGraph.query(createVaultUseQuery(vault), signal)) {
    // The list of accounts has them, and shows which of their identities uses the key.
    if (row.type !== 'microsoft.storage/storageaccounts' && names(row)) others.add(row.id);
  }
}

/** Data of an account that a revocation of its key access does not cut off. */
export interface Readable {
  /** Whether the identity can use no other key of the account's scopes; false also if that is unknown. */
  readonly complete: boolean;
  /** One sentence each. */
  readonly notes: readonly string[];
}

/**
 * Reads what stays readable once these grants are removed: scopes with another key, and what a key of Microsoft
 * encrypts.
 */
export async function readWhatStaysReadable(
  removed: readonly KeyGrant[],
  account: Account,
  { key, principalId }: { readonly key: ManagedKey; readonly principalId: string },
  azure: Azure,
): Promise<Readable> {
  const read = await readScopes(account, azure);
  const enabled = (getKnown(read) ?? []).filter((scope) => scope.enabled);

  const mayUse = readOnce((keyId: string) => keepsAccess(keyId, principalId, removed, azure));
  const scopes: string[] = [];

  for (const scope of enabled.filter(hasOwnKey)) {
    const use = findScopeKeyUse(scope);
    if (use && !isUseOfKey(use, key) && (await mayUse.get(formatKeyIdentifier(use)))) scopes.push(scope.name);
  }

  const platform = enabled.filter((scope) => !hasOwnKey(scope)).map(({ name }) => name);
  const services = listOwnKeyServices(account).map((service) => `${service}s`);
  const disable = (names: readonly string[]): string =>
    `Disable each: ${names.map((name) => `cmk scope disable ${account.name} ${name}`).join('; ')}`;
  const notes: string[] = [];

  if (scopes.length > 0) {
    notes.push(`Encryption scopes with another key that the identity may still use stay readable. ${disable(scopes)}`);
  }

  if (platform.length > 0) {
    notes.push(`Encryption scopes with a key of Microsoft stay readable. ${disable(platform)}`);
  }

  if (services.length > 0) {
    notes.push(`A key of Microsoft encrypts its ${services.join(' and ')}: they stay readable.`);
  }

  if ('unread' in read) {
    const why = `its encryption scopes cannot be read: ${read.unread.detail}`;
    notes.push(`It is unknown whether data of ${account.name} stays readable, because ${why}`);
  }

  return { complete: 'value' in read && scopes.length === 0, notes };
}

function hasOwnKey(scope: Scope | PlatformScope): scope is Scope {
  return scope.keyUri !== undefined;
}

/** Whether the principal may use the key after the grants are removed. An unreadable key counts as usable. */
async function keepsAccess(
  keyId: string,
  principalId: string,
  removed: readonly KeyGrant[],
  azure: Azure,
): Promise<boolean> {
  const { vaultUri = '', keyName = '' } = parseKeyIdentifier(keyId) ?? {};
  try {
    const vault = await findVault(vaultUri, azure);
    const key = createManagedKey(toManagedVault(vault, azure.cloud), keyName);
    const { removable, standing } = await readKeyGrants(principalId, key, azure);
    const names = new Set(removed.map(({ name }) => name.toLowerCase()));

    return standing.length > 0 || removable.some(({ name }) => !names.has(name.toLowerCase()));
  } catch {
    return true;
  }
}
