import { describe, describeFailure } from '../azure/failure.ts';
import { retryOnce } from '../azure/retry-once.ts';
import type { VersionUse, VersionUsers } from '../dependents/version-users.ts';
import type { Keys } from '../keys/key-client.ts';
import { findVersion, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { readRevocation } from '../revocation/revocation.ts';
import { reasonsOfKey, reasonsOfUse, retiredRecord, settledTags, withoutRetiredTag } from './retirement.ts';

export type ConfirmRetirementServices = {
  readonly keys: Keys;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
};

/** A version that the retirement disabled. */
interface Disabled {
  /** The version before it was disabled. */
  readonly version: KeyVersion;
  readonly successor: KeyVersion;
  /** Id of the key's last restored revocation at that time. */
  readonly restored: string | undefined;
  /** Users of the key, read after the version was disabled. */
  readonly users: VersionUsers;
  /** Further reasons to enable the version again. */
  readonly against?: readonly string[];
}

/** Outcome for a disabled version. `version` is its state before that. */
export type RetirementResult =
  | {
      readonly outcome: 'retired';
      readonly version: KeyVersion;
      readonly successor: KeyVersion;
      /** Every visible user of the key, with its version after this version was disabled. */
      readonly uses: readonly VersionUse[];
    }
  /** The version is enabled again. */
  | { readonly outcome: 'undone'; readonly version: KeyVersion; readonly reasons: readonly string[] }
  /** The version may be disabled although a client uses it. An operator must enable it. */
  | {
      readonly outcome: 'notUndone';
      readonly version: KeyVersion;
      readonly reasons: readonly string[];
      readonly nextStep: string;
    };

/** Keeps a version disabled if it is unused, and enables it otherwise. */
export async function confirmRetirement(
  key: ManagedKey,
  disabled: Disabled,
  services: ConfirmRetirementServices,
): Promise<RetirementResult> {
  const result = await confirmOnce(key, disabled, services);
  // The last write may have overwritten the tags of a revocation and restore. The second pass detects it.
  return result.outcome === 'retired' ? confirmOnce(key, disabled, services) : result;
}

async function confirmOnce(
  key: ManagedKey,
  { version, successor, restored, users, against = [] }: Disabled,
  { keys, now, sleep }: ConfirmRetirementServices,
): Promise<RetirementResult> {
  const ofUse = [...against, ...reasonsOfUse(version, users)];
  const retired = { outcome: 'retired', version, successor, uses: users.uses } as const;
  const notUndone = (reasons: readonly string[], what: string): RetirementResult => {
    const nextStep = `${what}: az keyvault key set-attributes --id ${version.id} --enabled true`;
    return { outcome: 'notUndone', version, reasons, nextStep };
  };
  let listed: readonly KeyVersion[];
  try {
    listed = await retryOnce(() => keys.listVersions(key), sleep);
  } catch (error) {
    // The key may have been revoked in the meantime. Enabling a version would then reopen a revoked key.
    const unread = `The versions of the key cannot be read again: ${describe(describeFailure(error))}`;
    return notUndone([...ofUse, unread], BY_HAND);
  }
  // The write below replaces all tags. A fresh read preserves the tags of an unretire or a revocation.
  const read = await keys.getVersion(key, version.version).catch(() => undefined);
  const fresh = read ?? findVersion(listed, version.version) ?? version;
  if (fresh.enabled) {
    return {
      outcome: 'undone',
      version,
      reasons: ['An operator or another tool enabled the version in the meantime.'],
    };
  }
  const versions = listed.map((one) => (one.version === fresh.version ? fresh : one));
  const { open, restored: since } = readRevocation(versions, now());
  if (open) {
    // The tags now belong to the revocation. The sweep completes the retirement after the restore.
    if (ofUse.length === 0) return retired;
    return notUndone([...ofUse, 'The key was revoked in the meantime.'], 'Once the key is restored, enable it');
  }
  // A delayed write may arrive after a restore and disable a restored version.
  const ofRestore = since && since.id !== restored ? [RESTORED] : [];
  const reasons = [...reasonsOfKey(version, versions, now()), ...ofRestore, ...ofUse];
  if (isShutByHand(versions, successor, now())) {
    return notUndone(
      [...reasons, 'Its successor was disabled in the meantime.'],
      'Unless an operator disabled the key intentionally, enable it',
    );
  }
  if (reasons.length === 0) {
    // If the write fails, the sweep repeats it.
    if (retiredRecord(fresh)?.isConfirmed === false) {
      await keys.updateVersion(key, fresh.version, { tags: settledTags(fresh.tags) }).catch(() => {});
    }
    return retired;
  }
  try {
    const change = { enabled: true, tags: withoutRetiredTag(fresh.tags) };
    await retryOnce(() => keys.updateVersion(key, fresh.version, change), sleep);
    return { outcome: 'undone', version, reasons };
  } catch (error) {
    const failed = `The app could not enable it again: ${describe(describeFailure(error))}`;
    return notUndone([...reasons, failed], BY_HAND);
  }
}

const RESTORED = 'The key was revoked and restored in the meantime. Versions that the restore enabled stay enabled.';
const BY_HAND = 'Enable it immediately, unless the key is revoked';

/** An operator disables a key version by version. The app must not enable any version in between. */
function isShutByHand(versions: readonly KeyVersion[], successor: KeyVersion, now: Date): boolean {
  return findVersion(versions, successor.version)?.enabled === false && !newestUsableVersion(versions, now);
}
