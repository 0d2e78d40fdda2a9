import type { Account, Scope } from '../accounts/account.ts';
import { findAccountKeyUse, findScopeKeyUse } from '../accounts/key-use.ts';
import type { StorageAccounts } from '../accounts/storage-client.ts';
import { readUnlessMissing } from '../azure/failure.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import type { UseRow } from '../index/use-row.ts';
import { formatSpelledKeyIdentifier } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { ReadUse } from './observe.ts';
import { withKeyVersion } from './plan.ts';

/** Tag with an account's rollout wave; Azure allows values of 256 characters. */
const WAVE_TAG = 'cmk-wave';

/** A use that a worker read, with what Azure answered. */
export interface WritableUse extends ReadUse {
  readonly id: ResourceId;
  /** The answer for an account; absent for an encryption scope. */
  readonly found?: Account;
}

export interface ReadPorts {
  readonly accounts: StorageAccounts;
  readonly now: () => Date;
}

/**
 * Reads an account or an encryption scope; returns undefined after a deletion. Throws the SDK's errors.
 *
 * @param signal aborts the read
 */
export async function readUse(
  id: ResourceId,
  { scope, location, wave, identity }: Pick<UseRow, 'scope' | 'location' | 'wave' | 'identity'>,
  { accounts, now }: ReadPorts,
  signal?: AbortSignal,
): Promise<WritableUse | undefined> {
  const startedOn = now();

  if (scope === undefined) {
    const found = await readUnlessMissing(() => accounts.get(id, signal));
    return found && { ...toUseOfAccount(found, startedOn), id, found };
  }

  const read = await readUnlessMissing(() => accounts.getScope(id, scope, signal).then((found) => ({ found })));
  if (!read) return undefined;

  // Azure returns these fields only for accounts: keep the row's values.
  const about = { account: id.id, scope, location, wave, identity };

  return { ...toUseOfScope(read.found, about, startedOn), id };
}

/** Returns whether only an encryption scope is missing, and not its account. Throws the SDK's errors. */
export async function isScopeGone(
  id: ResourceId,
  { scope }: Pick<UseRow, 'scope'>,
  { accounts }: ReadPorts,
  signal?: AbortSignal,
): Promise<boolean> {
  if (scope === undefined) return false;

  return (await readUnlessMissing(() => accounts.get(id, signal))) !== undefined;
}

/**
 * Sends the settings that the worker read, with only the key fields changed. Throws the SDK's errors.
 *
 * @param pin version to pin; empty for automatic updates
 * @param to target key of a re-key order; undefined to keep the key
 * @param signal aborts the PATCH
 * @returns the use in Azure's answer
 */
export async function writeUse(
  { id, about, use, found }: WritableUse,
  pin: string,
  to: ManagedKey | undefined,
  { accounts, now }: ReadPorts,
  signal?: AbortSignal,
): Promise<ReadUse> {
  if (found) {
    const changed = withKeyVersion(found.encryption, pin, to);
    return toUseOfAccount(await accounts.updateEncryption(found, changed, signal), now());
  }

  const { scope = '' } = about;
  if (!use) throw new TypeError(`Encryption scope ${scope} has no key in Key Vault.`);

  const key = to ? { vaultUri: to.vault.uri, keyName: to.name } : use;
  const updated = await accounts.updateScopeKey(id, scope, formatSpelledKeyIdentifier(key, pin || undefined), signal);

  return toUseOfScope(updated, about, now());
}

/** Returns the account's own use, from a list or a GET. */
export function toUseOfAccount(account: Account, startedOn: Date): ReadUse {
  const identity = account.encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  return {
    use: findAccountKeyUse(account.encryption),
    stamp: account.encryption.keyVaultProperties?.lastKeyRotationTimestamp?.toISOString() ?? '',
    startedOn,
    about: { account: account.id, location: account.location, identity, wave: getWaveOfTags(account.tags) },
  };
}

export function getWaveOfTags(tags: Account['tags']): string | undefined {
  return Object.entries(tags).find(([name]) => name.toLowerCase() === WAVE_TAG)?.[1] || undefined;
}

/** Storage returns no key timestamp for a pinned scope, so the time of its last change replaces it. */
export function toUseOfScope(scope: Scope | undefined, about: ReadUse['about'], startedOn: Date): ReadUse {
  const stamp = scope?.rotatedOn ?? scope?.changedOn;
  return { use: scope && findScopeKeyUse(scope), stamp: stamp?.toISOString() ?? '', startedOn, about };
}
