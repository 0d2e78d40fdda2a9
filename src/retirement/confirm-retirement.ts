import { abortAfter } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { retryOnce } from '../azure/retry-once.ts';
import { readVersionUsers, type VersionUse, type VersionUsers } from '../dependents/version-users.ts';
import { findVersion, type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { openRevocation, readRevocation } from '../revocation/revocation.ts';
import { LATE_WRITE_MS } from '../time/spans.ts';
import { type RetireServices, readUsageEvidence, sentenceOf, usesSince } from './evidence.ts';
import { reasonsOfKey, reasonsOfUse, retiredRecord, settledTags, withoutRetiredTag } from './retirement.ts';

/** A version that the retirement disabled. */
interface Disabled {
  /** The version before it was disabled. */
  readonly version: KeyVersion;
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
      readonly successor: KeyVersion | undefined;
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
  services: Pick<RetireServices, 'keys' | 'now' | 'sleep'>,
): Promise<RetirementResult> {
  const result = await confirmOnce(key, disabled, services);
  // The last write may have overwritten the tags of a revocation and restore. The second pass detects it.
  return result.outcome === 'retired' ? confirmOnce(key, disabled, services) : result;
}

async function confirmOnce(
  key: ManagedKey,
  { version, restored, users, against = [] }: Disabled,
  { keys, now, sleep }: Pick<RetireServices, 'keys' | 'now' | 'sleep'>,
): Promise<RetirementResult> {
  const ofUse = [...against, ...reasonsOfUse(version, users)];
  const notUndone = (why: string, reasons = ofUse): RetirementResult => {
    const command = `az keyvault key set-attributes --id ${version.id} --enabled true`;
    const nextStep = `Unless the key is revoked or an operator disabled it intentionally, enable the version: ${command}`;
    return { outcome: 'notUndone', version, reasons: [...reasons, why], nextStep };
  };
  let listed: readonly KeyVersion[];
  try {
    listed = await retryOnce(() => keys.listVersions(key), sleep);
  } catch (error) {
    // The key may have been revoked in the meantime. Enabling a version would then reopen a revoked key.
    return notUndone(`The versions of the key cannot be read again: ${describe(describeFailure(error))}`);
  }
  // The write below replaces all tags. A fresh read preserves the tags of an unretire or a revocation.
  const read = await keys.getVersion(key, version.version).catch(() => undefined);
  const fresh = read ?? findVersion(listed, version.version) ?? version;
  if (fresh.enabled) {
    const reasons = ['An operator or another tool enabled the version in the meantime.'];
    return { outcome: 'undone', version, reasons };
  }
  const versions = listed.map((one) => (one.version === fresh.version ? fresh : one));
  const { open, restored: since } = readRevocation(versions, now());
  const successor = newestUsableVersion(versions, now());
  const retired = { outcome: 'retired', version, successor, uses: users.uses } as const;
  // The tags now belong to the revocation. The sweep completes the retirement after the restore.
  if (open) return ofUse.length === 0 ? retired : notUndone('The key was revoked in the meantime.');
  // An operator disables a key version by version. The app must not enable any version in between.
  if (!successor) return notUndone('No newer version is usable: its successor was disabled in the meantime.');
  // A delayed write may arrive after a restore and disable a restored version.
  const ofRestore = since && since.id !== restored ? [RESTORED] : [];
  const reasons = [...reasonsOfKey(version, versions, now()), ...ofRestore, ...ofUse];
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
    return notUndone(`The app could not enable it again: ${describe(describeFailure(error))}`, reasons);
  }
}

const RESTORED = 'The key was revoked and restored in the meantime. Versions that the restore enabled stay enabled.';

/** A worker verifies a disabled version within ten minutes. After this time, the worker has died. */
const ABANDONED_MS = 15 * 60_000;

/** Versions that a retirement disabled, but did not verify. */
export function halfRetired(versions: readonly KeyVersion[], now: Date): KeyVersion[] {
  return versions.filter((version) => {
    const record = retiredRecord(version);
    if (!record || record.isConfirmed || now.getTime() - record.on.getTime() < ABANDONED_MS) return false;
    return (version.updatedOn?.getTime() ?? 0) <= record.on.getTime() + LATE_WRITE_MS;
  });
}

/**
 * Verifies each version whose retirement was interrupted: it stays disabled or is enabled again. Requests in the log
 * since then count as use.
 *
 * @throws the SDK's error if listing the versions fails
 */
export async function* finishRetirements(
  key: ManagedKey,
  readMs: number,
  services: RetireServices,
): AsyncGenerator<RetirementResult, void, undefined> {
  const { keys, now } = services;
  const all = await keys.listVersions(key);
  // While a revocation is open, the app neither changes nor reports the key's versions.
  if (openRevocation(all, now()) || !newestUsableVersion(all, now())) return;
  for (const version of halfRetired(all, now())) {
    const record = retiredRecord(version);
    const users = await abortAfter((limit) => readVersionUsers(key, services, limit), readMs);
    const evidence = await readUsageEvidence(key, services, readMs);
    const uses = 'log' in evidence && record ? usesSince(version, evidence.log, record.on) : [];
    const against = uses.map(sentenceOf);
    yield await confirmRetirement(key, { version, restored: record?.restored, users, against }, services);
  }
}
