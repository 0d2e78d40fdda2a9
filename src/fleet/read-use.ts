import { unlessMissing } from '../azure/failure.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { formatKeyIdentifier } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Account, Scope } from './account.ts';
import { accountKeyUse, scopeKeyUse } from './key-use.ts';
import type { ReadUse } from './observe.ts';
import { withKeyVersion } from './plan.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { UseRow } from './use-row.ts';

/** The tag with the rollout wave of an account; Azure allows 256 characters. */
const WAVE_TAG = 'cmk-wave';

/** A use as it was read, with the one write that changes it. */
export interface WritableUse extends ReadUse {
  /**
   * Writes back what was read, with only the key fields changed.
   *
   * @param pin version to pin it to; empty: automatic
   * @param to target key of a re-key order; undefined: the key stays
   * @returns the use as the answer shows it
   */
  write(pin: string, to: ManagedKey | undefined): Promise<ReadUse>;
}

export interface ReadPorts {
  readonly accounts: StorageAccounts;
  readonly now: () => Date;
  /** Abort when there is no time left for a read, and for a write. */
  readonly reads?: AbortSignal;
  readonly writes?: AbortSignal;
}

/** Reads an account or one of its encryption scopes; undefined: it does not exist. Errors are the SDK's. */
export async function readUse(
  id: ResourceId,
  { scope, location, wave, identity }: Pick<UseRow, 'scope' | 'location' | 'wave' | 'identity'>,
  { accounts, now, reads, writes }: ReadPorts,
): Promise<WritableUse | undefined> {
  const startedOn = now();
  if (scope === undefined) {
    const account = await unlessMissing(() => accounts.get(id, reads));
    if (!account) return undefined;
    return {
      ...useOfAccount(account, startedOn),
      async write(pin, to) {
        const changed = withKeyVersion(account.encryption, pin, to);
        return useOfAccount(await accounts.updateEncryption(account, changed, writes), now());
      },
    };
  }
  const read = await unlessMissing(() => accounts.getScope(id, scope, reads).then((found) => ({ found })));
  if (!read) return undefined;
  // A scope does not show these: the row's values stay.
  const about = { account: id.id, scope, location, wave, identity };
  return {
    ...useOfScope(read.found, about, startedOn),
    async write(pin, to) {
      const use = read.found && scopeKeyUse(read.found);
      if (!use) throw new TypeError(`${scope} uses no key of Key Vault.`);
      const key = to ? { vaultUri: to.vault.uri, keyName: to.name } : use;
      const updated = await accounts.updateScopeKey(id, scope, formatKeyIdentifier(key, pin || undefined), writes);
      return useOfScope(updated, about, now());
    },
  };
}

/** The account's own use, as a list or a GET shows it. */
export function useOfAccount(account: Account, startedOn: Date): ReadUse {
  const identity = account.encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  return {
    use: accountKeyUse(account.encryption),
    stamp: account.encryption.keyVaultProperties?.lastKeyRotationTimestamp?.toISOString() ?? '',
    startedOn,
    about: { account: account.id, location: account.location, identity, wave: waveOfTags(account.tags) },
  };
}

export function waveOfTags(tags: Account['tags']): string | undefined {
  return Object.entries(tags).find(([name]) => name.toLowerCase() === WAVE_TAG)?.[1] || undefined;
}

/** A pinned scope has no time stamp of the key, so the time of its last change is used. */
export function useOfScope(scope: Scope | undefined, about: ReadUse['about'], startedOn: Date): ReadUse {
  const stamp = scope?.rotatedOn ?? scope?.changedOn;
  return { use: scope && scopeKeyUse(scope), stamp: stamp?.toISOString() ?? '', startedOn, about };
}
