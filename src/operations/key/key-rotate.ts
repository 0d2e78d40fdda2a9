import { describe, describeFailure, type Failure } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import { type KeyVersion, newestVersion, usability } from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { vaultOption } from '../../keys/vault-options.ts';
import { completeVersion, LATE_SECONDS, makeVersion } from '../../rotation/make-version.ts';
import { ORIGIN_TAG, unfinishedRotation } from '../../rotation/rotation.ts';
import { inWords } from '../../time/duration.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { keyNotFound, nameOf, refuseRevoked } from './usable-key.ts';

/**
 * Makes a new version with the tags and the lifetime of the one before. Accounts are moved by the app, or by hand.
 *
 * @param ifOlderThanSeconds a newest version that is younger, and has not expired, counts as the rotation asked for
 * @throws {@link CmkError} when it must not be rotated
 */
export async function rotateKey(
  key: ManagedKey,
  ifOlderThanSeconds: number,
  { azure, journal }: { readonly azure: Pick<Azure, 'keys' | 'now'> } & Pick<Operation, 'journal'>,
): Promise<{ readonly from: string; readonly to: string | undefined }> {
  const name = nameOf(key);
  const versions = await azure.keys.listVersions(key);
  const now = azure.now();
  const newest = rotatable(key, versions, now);
  const ageSeconds = (now.getTime() - newest.createdOn.getTime()) / 1000;
  const unfinished = unfinishedRotation(versions, now);
  // However young, a version that has expired is not the one asked for. However old, a rotation that was interrupted is
  // completed: another version would take the missing expiry over.
  const isRecent =
    unfinished !== undefined || (ageSeconds < ifOlderThanSeconds && usability(newest, now) !== 'Expired');
  // With 0 any age is enough, also one below 0, by a clock that is behind Key Vault's.
  if (ifOlderThanSeconds > 0 && isRecent) {
    journal.found(`version ${newest.version} of ${name} is ${inWords(ageSeconds)} old`);
    journal.note('It counts as the rotation asked for; --if-older-than PT0S makes another one.');
    if (unfinished) {
      const text = `version ${newest.version} of ${name} given the tags and the lifetime of the one before`;
      await journal.change({ text, action: 'key.completeRotation', resource: newest.id }, () =>
        complete(key, unfinished.from, unfinished.to, azure),
      );
    }
    return { from: newest.version, to: newest.version };
  }
  journal.found(`newest version of ${name}: ${newest.version}`);
  const created = await journal.change(
    { text: `key ${name} rotated`, action: 'key.rotate', resource: key.id, from: newest.version },
    () => versionAfter(newest, key, azure),
    ({ version }) => ({ to: version }),
  );
  if (created) await complete(key, newest, created, azure);
  if (created) journal.found(`newest version of ${name} now: ${created.version}`);
  journal.note(
    'Automatic accounts follow within a day. The app, where it looks after this vault, moves them by itself: a handful in about a second, 500 in one region in about a minute. Without it: cmk account pin <account>',
  );
  return { from: newest.version, to: created?.version };
}

/** The newest version. @throws {@link CmkError} when it must not be rotated */
function rotatable(key: ManagedKey, versions: readonly KeyVersion[], now: Date): KeyVersion {
  const newest = newestVersion(versions);
  if (!newest) throw keyNotFound(key);
  refuseRevoked(key, versions, 'a version made now would be disabled too', now);
  if (!newest.enabled) {
    throw new CmkError(
      'KeyDisabled',
      `The newest version of ${nameOf(key)} is disabled, and no record says why.`,
      'Find out who disabled it; then enable it, or make a new key and move the accounts: cmk account change-key',
    );
  }
  if (newest.tags[ORIGIN_TAG]?.toLowerCase() === 'imported') {
    throw new CmkError(
      'ImportedKey',
      `${nameOf(key)} is imported key material: a rotation would replace it by material of Key Vault's own making.`,
      `Import the next version: cmk key import ${key.name} ${vaultOption(key.vault)} --file <file>`,
    );
  }
  return newest;
}

async function versionAfter(from: KeyVersion, key: ManagedKey, azure: Pick<Azure, 'keys'>): Promise<KeyVersion> {
  const result = await makeVersion(key, from, azure.keys);
  if ('made' in result) return result.made;
  throw new CmkError(
    'RotationUnknown',
    `Key Vault did not say whether it made a version: ${describe(result.unknown)}`,
    // A second request could make a second version.
    `Wait ${LATE_SECONDS} seconds, then run it again without --if-older-than: a version that has appeared by then counts.`,
  );
}

async function complete(key: ManagedKey, from: KeyVersion, to: KeyVersion, azure: Pick<Azure, 'keys'>): Promise<void> {
  const incomplete = (failure: Failure, cause?: unknown): CmkError =>
    new CmkError(
      'RotationIncomplete',
      `The key was rotated to ${to.version}, which has neither the tags nor the expiry of the version before: ${describe(failure)}`,
      `Within a day, run it again without --if-older-than: cmk key rotate ${key.name} ${vaultOption(key.vault)} completes this rotation and makes no other.`,
      { cause },
    );
  const { refused } = await completeVersion(key, from, to, azure.keys).catch((error: unknown) => {
    throw incomplete(describeFailure(error), error);
  });
  if (refused) throw incomplete(refused);
}
