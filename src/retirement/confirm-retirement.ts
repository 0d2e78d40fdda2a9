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

/** A version that was disabled. */
interface Disabled {
  /** As it was before. */
  readonly version: KeyVersion;
  readonly successor: KeyVersion;
  /** The last revocation of the key that was restored before. */
  readonly restored: string | undefined;
  /** Read after it was disabled. */
  readonly users: VersionUsers;
  /** What else speaks against it by now. */
  readonly against?: readonly string[];
}

/** What came of a version that was disabled; it is given as it was before. */
export type RetirementResult =
  | {
      readonly outcome: 'retired';
      readonly version: KeyVersion;
      readonly successor: KeyVersion;
      /** Who uses the key in sight, and which version each of them showed after this one was disabled. */
      readonly uses: readonly VersionUse[];
    }
  /** It was disabled, and enabled again. */
  | { readonly outcome: 'undone'; readonly version: KeyVersion; readonly reasons: readonly string[] }
  /** It is, or may be, disabled and used, and a person has to enable it. */
  | {
      readonly outcome: 'notUndone';
      readonly version: KeyVersion;
      readonly reasons: readonly string[];
      readonly nextStep: string;
    };

/** Leaves a version disabled if it may be, and enables it again if not. */
export async function confirmRetirement(
  key: ManagedKey,
  disabled: Disabled,
  services: ConfirmRetirementServices,
): Promise<RetirementResult> {
  const result = await confirmOnce(key, disabled, services);
  // Its last write may have come after a whole revocation and restore, over what was written there.
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
    // The key may have been revoked since, and a revoked key is not opened on the chance that it was not.
    const unread = `The versions of the key cannot be read again: ${describe(describeFailure(error))}`;
    return notUndone([...ofUse, unread], BY_HAND);
  }
  // The write below replaces all tags: read again, so as to keep an unretire or a revocation since the list.
  const read = await keys.getVersion(key, version.version).catch(() => undefined);
  const fresh = read ?? findVersion(listed, version.version) ?? version;
  if (fresh.enabled) {
    return { outcome: 'undone', version, reasons: ['A person or another tool enabled it again meanwhile.'] };
  }
  const versions = listed.map((one) => (one.version === fresh.version ? fresh : one));
  const { open, restored: since } = readRevocation(versions, now());
  if (open) {
    // Its tags are the revocation's own now. What is not written here, a look after the restore writes.
    if (ofUse.length === 0) return retired;
    return notUndone([...ofUse, 'The key was revoked meanwhile.'], 'Once the key is restored, enable it');
  }
  // A write that was held up may come after a restore, and disable what that has enabled.
  const ofRestore = since && since.id !== restored ? [RESTORED] : [];
  const reasons = [...reasonsOfKey(version, versions, now()), ...ofRestore, ...ofUse];
  if (isShutByHand(versions, successor, now())) {
    return notUndone(
      [...reasons, 'Its successor was disabled meanwhile.'],
      'Unless the key was shut on purpose, enable it',
    );
  }
  if (reasons.length === 0) {
    // What is not written now, the sweep writes.
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
    const failed = `It could not be enabled again: ${describe(describeFailure(error))}`;
    return notUndone([...reasons, failed], BY_HAND);
  }
}

const RESTORED = 'The key was revoked and restored meanwhile. Versions that the restore enabled stay enabled.';
const BY_HAND = 'Enable it at once, unless the key is revoked';

/** A person who disables a key by hand does it version by version: the app then enables none. */
function isShutByHand(versions: readonly KeyVersion[], successor: KeyVersion, now: Date): boolean {
  return findVersion(versions, successor.version)?.enabled === false && !newestUsableVersion(versions, now);
}
