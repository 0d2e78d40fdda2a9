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

/** A use that a worker read, with a method to change its key. */
export interface WritableUse extends ReadUse {
  /**
   * Sends the settings that the worker read, with only the key fields changed.
   *
   * @param pin version to pin; empty for automatic updates
   * @param to target key of a re-key order; undefined to keep the key
   * @returns the use in Azure's answer
   */
  write(pin: string, to: ManagedKey | undefined): Promise<ReadUse>;
}

export interface ReadPorts {
  readonly accounts: StorageAccounts;
  readonly now: () => Date;
  /** Abort when the time for reads, or for writes, is over. */
  readonly reads?: AbortSignal;
  readonly writes?: AbortSignal;
}

/** Reads an account or an encryption scope; returns undefined after a deletion. Throws the SDK's errors. */
export async function readUse(
  id: ResourceId,
  { scope, location, wave, identity }: Pick<UseRow, 'scope' | 'location' | 'wave' | 'identity'>,
  { accounts, now, reads, writes }: ReadPorts,
): Promise<WritableUse | undefined> {
  const startedOn = now();

  if (scope === undefined) {
    const account = await readUnlessMissing(() => accounts.get(id, reads));
    if (!account) return undefined;
    return {
      ...toUseOfAccount(account, startedOn),
      async write(pin, to) {
        const changed = withKeyVersion(account.encryption, pin, to);
        return toUseOfAccount(await accounts.updateEncryption(account, changed, writes), now());
      },
    };
  }

  const read = await readUnlessMissing(() => accounts.getScope(id, scope, reads).then((found) => ({ found })));
  if (!read) return undefined;

  // Azure returns these fields only for accounts: keep the row's values.
  const about = { account: id.id, scope, location, wave, identity };

  return {
    ...toUseOfScope(read.found, about, startedOn),
    async write(pin, to) {
      const use = read.found && findScopeKeyUse(read.found);
      if (!use) throw new TypeError(`Encryption scope ${scope} has no key in Key Vault.`);
      const key = to ? { vaultUri: to.vault.uri, keyName: to.name } : use;
      const updated = await accounts.updateScopeKey(
        id,
        scope,
        formatSpelledKeyIdentifier(key, pin || undefined),
        writes,
      );
      return toUseOfScope(updated, about, now());
    },
  };
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
