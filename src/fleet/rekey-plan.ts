import { type KeyVersion, newestUsableVersion, newestVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { openRevocation } from '../revocation/revocation.ts';
import type { AccountEncryption } from './account.ts';
import type { KeyUse } from './key-use.ts';
import type { Plan } from './plan.ts';

/** A key with its versions. */
export interface ListedKey {
  readonly key: ManagedKey;
  readonly versions: readonly KeyVersion[];
}

/**
 * Decides what a use becomes when a standing order moves it to another key: the newest usable version of that key. A pinned
 * use stays pinned, an automatic use automatic, and nothing moves onto or off a key under revocation.
 */
export function planRekey(use: Pick<KeyUse, 'pinned'>, from: ListedKey, to: ListedKey, now: Date): Plan {
  const stay = (reason: Extract<Plan, { write: false }>['reason']): Plan => ({
    write: false,
    reason,
    target: undefined,
  });
  // A deleted key does not show whether it is revoked.
  if (from.versions.length === 0 || to.versions.length === 0) return stay('KeyNotFound');
  if (openRevocation(from.versions, now) || openRevocation(to.versions, now)) return stay('RevocationOpen');
  const target = newestUsableVersion(to.versions, now);
  if (!target) return stay('NoUsableVersion');
  if (use.pinned !== undefined) {
    return { write: true, reason: 'RekeyOrdered', target, pin: target.version, to: to.key };
  }
  // For an automatic use Storage uses the newest version of all, or rejects the write.
  if (newestVersion(to.versions) !== target) return stay('NewestVersionUnusable');
  return { write: true, reason: 'RekeyOrdered', target, pin: '', to: to.key };
}

/**
 * Whether an order can move all uses now. If not, it moves none, and they follow their own key: an order that moved pinned
 * uses alone would never be done.
 */
export function canRekey(from: ListedKey, to: ListedKey, now: Date): boolean {
  return planRekey({ pinned: undefined }, from, to, now).write;
}

/** The whole encryption object as read, altered in the key fields alone. */
export function withOtherKey(encryption: AccountEncryption, key: ManagedKey, keyVersion: string): AccountEncryption {
  const keyVaultProperties = {
    ...encryption.keyVaultProperties,
    keyVaultUri: key.vault.uri,
    keyName: key.name,
    keyVersion,
  };
  return { ...encryption, keyVaultProperties };
}

export function isRekey(plan: Plan): plan is Extract<Plan, { reason: 'RekeyOrdered'; write: true }> {
  return plan.reason === 'RekeyOrdered';
}
