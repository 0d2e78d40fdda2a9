import { describe, describeFailure } from '../azure/failure.ts';
import { retryOnce } from '../azure/retry-once.ts';
import type { VersionUse, VersionUsers } from '../dependents/version-users.ts';
import type { Keys } from '../keys/key-client.ts';
import { findVersion, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { openRevocation, readRevocation } from '../revocation/revocation.ts';
import { reasonsOfKey, reasonsOfUse, retiredRecord, settledTags, withoutRetiredTag } from './retirement.ts';

export type ConfirmRetirementServices = {
  readonly keys: Keys;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
};

/** A version that was disabled, or may have been. */
interface Disabled {
  /** As it was before. */
  readonly version: KeyVersion;
  readonly successor: KeyVersion;
  /** The last revocation of the key that was restored before. */
  readonly restored: string | undefined;
  /** The error, if no answer says that it is disabled. */
  readonly lost?: unknown;
  /** Read after it was disabled. */
  readonly users: VersionUsers;
  /** What else speaks against it by now. */
  readonly against?: readonly string[];
  readonly hours: number;
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

/**
 * Leaves a version disabled if it may be, and enables it again if not.
 *
 * @throws the SDK's error when the version turns out not to be disabled
 */
export async function confirmRetirement(
  key: ManagedKey,
  disabled: Disabled,
  services: ConfirmRetirementServices,
): Promise<RetirementResult> {
  const result = await confirmOnce(key, disabled, services);
  if (result.outcome !== 'retired') return result;
  // Its last write may have come after a whole revocation and restore, over what was written there.
  return confirmOnce(key, { ...disabled, lost: undefined }, services);
}

async function confirmOnce(
  key: ManagedKey,
  { version, successor, restored, lost, users, against = [], hours }: Disabled,
  { keys, now, sleep }: ConfirmRetirementServices,
): Promise<RetirementResult> {
  const ofUse = [...against, ...reasonsOfUse(version, users)];
  let versions: readonly KeyVersion[];
  try {
    versions = await retryOnce(() => keys.listVersions(key), sleep);
  } catch (error) {
    // The key may have been revoked since, and a revoked key is not opened on the chance that it was not.
    const unread = `The versions of the key cannot be read again: ${describe(describeFailure(error))}`;
    return notUndone(version, [...ofUse, unread], BY_HAND);
  }
  const there = findVersion(versions, version.version);
  if (lost !== undefined && there?.enabled !== false) throw lost;
  if (there?.enabled) return enabledAgain(version);
  const { open, restored: since } = readRevocation(versions, now());
  const ofRestore = since && since.id !== restored ? [RESTORED] : [];
  const reasons = open ? ofUse : [...reasonsOfKey(version, versions, hours, now()), ...ofRestore, ...ofUse];
  if (open) {
    // Its tags are the revocation's own now. What is not written here, a look after the restore writes.
    if (reasons.length === 0) return { outcome: 'retired', version, successor, uses: users.uses };
    return notUndone(version, [...reasons, REVOKED], AFTER_RESTORE);
  }
  if (isShutByHand(versions, successor, now())) {
    return notUndone(version, [...reasons, 'Its successor was disabled meanwhile.'], UNLESS_SHUT);
  }
  const left = await leaveOrEnable(key, there ?? version, versions, reasons, { keys, now, sleep });
  if (left === 'left') return { outcome: 'retired', version, successor, uses: users.uses };
  if (left === 'enabled') return { outcome: 'undone', version, reasons };
  if (left === 'enabledAgain') return enabledAgain(version);
  return notUndone(version, [...reasons, left.failed], left.what);
}

/** The last write of a retirement; it is skipped when the version, read right before, shows a person's change. */
async function leaveOrEnable(
  key: ManagedKey,
  listed: KeyVersion,
  versions: readonly KeyVersion[],
  reasons: readonly string[],
  { keys, now, sleep }: ConfirmRetirementServices,
): Promise<'left' | 'enabled' | 'enabledAgain' | { readonly failed: string; readonly what: string }> {
  // The write replaces all tags: read again, so as to keep an unretire or a revocation since the list.
  const fresh = (await keys.getVersion(key, listed.version).catch(() => undefined)) ?? listed;
  if (fresh.enabled) return 'enabledAgain';
  const all = versions.map((one) => (one.version === fresh.version ? fresh : one));
  const revoked = openRevocation(all, now()) !== undefined;
  if (reasons.length === 0) {
    // What is not written now, the next look writes.
    const isHalf = retiredRecord(fresh)?.isConfirmed === false;
    if (isHalf && !revoked)
      await keys.updateVersion(key, fresh.version, { tags: settledTags(fresh.tags) }).catch(() => {});
    return 'left';
  }
  if (revoked) return { failed: REVOKED, what: AFTER_RESTORE };
  try {
    const change = { enabled: true, tags: withoutRetiredTag(fresh.tags) };
    await retryOnce(() => keys.updateVersion(key, fresh.version, change), sleep);
    return 'enabled';
  } catch (error) {
    return { failed: `It could not be enabled again: ${describe(describeFailure(error))}`, what: BY_HAND };
  }
}

/** A person who disables a key by hand does it version by version: the app then enables none. */
function isShutByHand(versions: readonly KeyVersion[], successor: KeyVersion, now: Date): boolean {
  return findVersion(versions, successor.version)?.enabled === false && !newestUsableVersion(versions, now);
}

function enabledAgain(version: KeyVersion): RetirementResult {
  return { outcome: 'undone', version, reasons: ['A person or another tool enabled it again meanwhile.'] };
}

/** A write that was held up may come after a restore, and disable what that has enabled. */
const RESTORED = 'The key was revoked and restored meanwhile. Versions that the restore enabled stay enabled.';
const REVOKED = 'The key was revoked meanwhile.';
const BY_HAND = 'Enable it at once, unless the key is revoked';
const UNLESS_SHUT = 'Unless the key was shut on purpose, enable it';
const AFTER_RESTORE = 'Once the key is restored, enable it';

function notUndone(version: KeyVersion, reasons: readonly string[], what: string): RetirementResult {
  const nextStep = `${what}: az keyvault key set-attributes --id ${version.id} --enabled true`;
  return { outcome: 'notUndone', version, reasons, nextStep };
}
