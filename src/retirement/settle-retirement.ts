import { describe, describeFailure } from '../azure/failure.ts';
import { twice } from '../azure/retry-once.ts';
import type { VersionUse, VersionUsers } from '../dependents/version-users.ts';
import type { Keys } from '../keys/key-client.ts';
import { findVersion, type KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { openRevocation } from '../revocation/revocation.ts';
import { reasonsOfKey, reasonsOfUse, settledTags, withoutRetiredTag } from './retirement.ts';

export type SettleRetirementServices = {
  readonly keys: Keys;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
};

/** A version that was disabled, or may have been. */
export interface Disabled {
  /** As it was before. */
  readonly version: KeyVersion;
  readonly successor: KeyVersion;
  /** The error, if no answer says that it is disabled. */
  readonly lost?: unknown;
  /** Read after it was disabled. */
  readonly users: VersionUsers;
  /** What else speaks against it by now. */
  readonly against?: readonly string[];
  readonly hours: number;
}

/** What came of a version that was disabled; it is given as it was before. */
export type Settled =
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

/**
 * Leaves a version disabled if it may be, and enables it again if not.
 *
 * @throws the SDK's error when the version turns out not to be disabled
 */
export async function settle(
  key: ManagedKey,
  { version, successor, lost, users, against = [], hours }: Disabled,
  { keys, now, sleep }: SettleRetirementServices,
): Promise<Settled> {
  const ofUse = [...against, ...reasonsOfUse(version, users)];
  let versions: readonly KeyVersion[];
  try {
    versions = await twice(() => keys.listVersions(key), sleep);
  } catch (error) {
    // The key may have been revoked since, and a revoked key is not opened on the chance that it was not.
    const unread = `The versions of the key cannot be read again: ${describe(describeFailure(error))}`;
    return notUndone(version, [...ofUse, unread], BY_HAND);
  }
  const there = findVersion(versions, version.version);
  if (lost !== undefined && there?.enabled !== false) throw lost;
  if (there?.enabled) return { outcome: 'undone', version, reasons: ['Somebody has enabled it again meanwhile.'] };
  const revoked = openRevocation(versions, now()) !== undefined;
  const reasons = revoked ? ofUse : [...reasonsOfKey(version, versions, hours, now()), ...ofUse];
  if (reasons.length === 0) {
    // While a revocation is open the tags are its own. What is not written now, the next look writes.
    if (there && !revoked)
      await keys.updateVersion(key, there.version, { tags: settledTags(there.tags) }).catch(() => {});
    return { outcome: 'retired', version, successor, uses: users.uses };
  }
  if (revoked) return notUndone(version, [...reasons, 'The key was revoked meanwhile.'], AFTER_RESTORE);
  const tags = withoutRetiredTag((there ?? version).tags);
  try {
    await twice(() => keys.updateVersion(key, version.version, { enabled: true, tags }), sleep);
    return { outcome: 'undone', version, reasons };
  } catch (error) {
    const failed = `It could not be enabled again: ${describe(describeFailure(error))}`;
    return notUndone(version, [...reasons, failed], BY_HAND);
  }
}

const BY_HAND = 'Enable it at once, unless the key is revoked';
const AFTER_RESTORE = 'Once the key is restored, enable it';

function notUndone(version: KeyVersion, reasons: readonly string[], what: string): Settled {
  const nextStep = `${what}: az keyvault key set-attributes --id ${version.id} --enabled true`;
  return { outcome: 'notUndone', version, reasons, nextStep };
}
