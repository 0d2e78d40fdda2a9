import { describe, describeFailure } from '../azure/failure.ts';
import { lastName, type ResourceId } from '../azure/resource-id.ts';
import { CmkError } from '../errors.ts';
import { accountKeyUse, scopeKeyUse } from '../fleet/key-use.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import { parseVault } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { type AccountEffects, accountEffects } from '../revocation/account-effects.ts';
import { scopeOfPart, type Taken } from '../revocation/account-record.ts';
import { type AccountRevoked, type AccountRevoking, revokeAccount } from '../revocation/account-revocation.ts';
import type { RevocationCall } from '../revocation/record-revocation.ts';
import type { VaultGuards } from '../vaults/vault-guards-client.ts';
import { othersWithIdentity } from './identity-sharing.ts';
import type { Revocable } from './revocable.ts';
import { keyOfTaken } from './role-grant.ts';

interface SharingServices {
  readonly accounts: Pick<StorageAccounts, 'list' | 'listScopes'>;
  /** Where accounts are looked for that have the same identity. */
  readonly inReach: () => Promise<readonly string[]>;
}

export interface PreviewServices extends SharingServices {
  readonly vaultGuards: Pick<VaultGuards, 'isLocked'>;
  readonly shares: { list(account: ResourceId): AsyncIterable<{ readonly name: string }> };
}

/** What a revocation would take away and stop. */
interface AccountPreview extends AccountEffects {
  readonly takes: readonly Taken[];
  /** What could not be read. */
  readonly warnings: readonly string[];
}

/**
 * What revoking would do, without doing it.
 *
 * @throws {@link CmkError} what the revocation would be refused with
 */
export async function previewAccount(
  { account, key, part }: Revocable,
  services: PreviewServices,
): Promise<AccountPreview> {
  const scope = scopeOfPart(part.part);
  const [takes, doubt] = await Promise.all([
    part.held(),
    part.doubt(),
    scope ?? refuseShared({ account, key }, services),
  ]);
  const warnings: string[] = doubt === undefined ? [] : [`It will not be proved that it has no access. ${doubt}`];
  const names = async <T>(what: string, all: AsyncIterable<T>): Promise<T[]> => {
    const found: T[] = [];
    try {
      for await (const one of all) found.push(one);
    } catch (error) {
      warnings.push(`The ${what} of ${account.name} could not be listed: ${describe(describeFailure(error))}`);
    }
    return found;
  };
  const [shares, scopes] = await Promise.all([
    names('file shares', services.shares.list(account)),
    names('encryption scopes', services.accounts.listScopes(account)),
    scope === undefined && key.vault.kind === 'vault' ? tellLock(key, services, warnings) : undefined,
  ]);
  const effects = accountEffects({
    account: account.name,
    scope,
    key: `${key.vault.name}/${key.name}`,
    shares: accountKeyUse(account.encryption) ? shares.map(({ name }) => name) : [],
    scopes: scopes.flatMap((one) => {
      const use = scopeKeyUse(one);
      return use ? [{ name: one.name, key: `${parseVault(use.vaultUri)?.vaultName}/${use.keyName}` }] : [];
    }),
    onVault: takes.some((one) => one.kind !== 'scope' && keyOfTaken(one) === undefined),
    inHsm: key.vault.kind === 'managedHsm',
  });
  return { ...effects, takes, warnings };
}

/** Azure Resource Manager, "Lock your resources": what keeps a resource from being deleted keeps role assignments on it too. */
async function tellLock({ vault }: ManagedKey, { vaultGuards }: PreviewServices, warnings: string[]): Promise<void> {
  try {
    if (!(await vaultGuards.isLocked(vault))) return;
    warnings.push(
      `A lock on ${vault.name}, or on what it is in, keeps roles on it from being taken away: the revocation will be refused until it is off. An encryption scope, and the key, can be revoked all the same.`,
    );
  } catch (error) {
    warnings.push(`The locks of ${vault.name} could not be read: ${describe(describeFailure(error))}`);
  }
}

/**
 * Revokes an account's access to its key, or an encryption scope.
 *
 * @throws {@link CmkError} `IdentityShared`, `AccountNotRevocable`, `RecordNotWritten`, `SubscriptionUnreadable`; the SDK's
 *   error when it cannot be read: nothing was changed then
 */
export async function revokeBelowKey(
  { account, key, part, place }: Revocable,
  call: RevocationCall,
  services: AccountRevoking & SharingServices,
  log: Log,
): Promise<AccountRevoked> {
  if (scopeOfPart(part.part) === undefined) await refuseShared({ account, key }, services);
  return revokeAccount(part, place, call, services, log);
}

/** @throws {@link CmkError} `IdentityShared`, `SubscriptionUnreadable` */
async function refuseShared(
  { account, key }: Pick<Revocable, 'account' | 'key'>,
  { accounts, inReach }: SharingServices,
): Promise<void> {
  const others = await othersWithIdentity(account, key, inReach, accounts);
  if (others.length === 0) return;
  const names = others.map((id) => lastName(id));
  const shown = names.length > 5 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
  throw new CmkError(
    'IdentityShared',
    `${REASONS.IdentityShared} The identity of ${account.name} is that of ${shown} too: they would stop with it.`,
    `Revoke an encryption scope of ${account.name}, or the key ${key.vault.name}/${key.name}; or give the account an identity of its own first (\`cmk account enable --identity\`).`,
  );
}
