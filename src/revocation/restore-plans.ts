import type { KeyVersion } from '../keys/key-versions.ts';
import {
  formatRevocation,
  isNewer,
  MAX_TAGS,
  RESTORED_TAG,
  REVOCATION_TAG,
  type RevocationName,
  readRevocation,
  revocationOf,
} from './revocation.ts';
import { isChangedLater, newestFirst, otherTags, planEach, type VersionChange } from './revocation-plans.ts';

/**
 * Whether a restore may mark a record. The only record must stay untouched, because the write could replace a newer
 * revocation.
 */
export function canMark(versions: readonly KeyVersion[], now: Date): boolean {
  return readRevocation(versions, now).records.size > 1;
}

/**
 * Plans the first write of a restore: it marks the newest version with the open revocation's record as being restored.
 */
export function planMark(versions: readonly KeyVersion[], restoringBy: string, now: Date): VersionChange[] {
  const { open, restoringBy: other, records } = readRevocation(versions, now);
  if (!open || other || !canMark(versions, now)) return [];
  const carriers = newestFirst(versions).filter(({ version }) => records.get(version)?.id === open.id);
  return planEach(carriers.slice(0, 1), (fresh) => {
    const record = revocationOf(fresh, now);
    if (record?.id !== open.id) return {};
    return { tags: { ...fresh.tags, [REVOCATION_TAG]: formatRevocation({ ...record, restoringBy }) } };
  });
}

/**
 * Plans the second step: enables, newest first, the versions that the revocation or a joined revocation disabled. Tags
 * stay.
 */
export function planReopen(versions: readonly KeyVersion[], upTo: RevocationName, now: Date): VersionChange[] {
  return newestFirst(versions).flatMap((version): VersionChange[] => {
    const record = revocationOf(version, now);
    return record?.wasEnabled && !version.enabled && !isNewer(record, upTo) ? [{ version, enabled: true }] : [];
  });
}

/**
 * A late write of an older restore may have deleted a newer revocation's record just before its restore, so that
 * version stayed disabled. The older restore's tombstone on the version shows this. The restore enables the version,
 * and replaces the tombstone in the next wave, so a person's later change is respected.
 *
 * @param recorded versions that had the revocation's record, and whether they were enabled before
 */
export function planReopenLost(
  versions: readonly KeyVersion[],
  upTo: RevocationName,
  recorded: ReadonlyMap<string, boolean>,
  now: Date,
): VersionChange[] {
  const { open, restored } = readRevocation(versions, now);
  if (open || !restored || isNewer(upTo, restored)) return [];

  const carriers = newestFirst(versions).filter(({ version }) => recorded.get(version));

  return planEach(carriers, (fresh) => {
    const { records, restored: own } = readRevocation([fresh], now);
    if (records.size > 0 || !own || !isNewer(upTo, own)) return {};
    if (fresh.enabled) return { tags: closed(fresh, restored, restored.restoredBy) };
    // A person has disabled the version since: a verification may run at any time.
    return isChangedLater(fresh, upTo) ? {} : { enabled: true };
  });
}

/** Plans the last step: replaces the records with tombstones that name the restored revocation. */
export function planClose(
  versions: readonly KeyVersion[],
  upTo: RevocationName,
  restoredBy: string,
  now: Date,
): VersionChange[] {
  return planEach(newestFirst(versions), (fresh) => {
    const record = revocationOf(fresh, now);
    if (!record || isNewer(record, upTo)) return {};
    // A late write has disabled the version again: the next wave needs its record to enable it.
    if (record.wasEnabled && !fresh.enabled) return {};
    return { tags: closed(fresh, upTo, restoredBy) };
  });
}

/**
 * A late write of an older restore may have deleted the last record before this restore could. The tombstone of this
 * restore is still written, or a later verification would write the record again.
 */
export function planCloseLost(
  versions: readonly KeyVersion[],
  upTo: RevocationName,
  restoredBy: string,
  now: Date,
): VersionChange[] {
  const { restored } = readRevocation(versions, now);
  if (restored && !isNewer(upTo, restored)) return [];
  return planEach(newestFirst(versions), (fresh) => {
    const hasNoSpace = Object.keys(otherTags(fresh)).length >= MAX_TAGS;
    return revocationOf(fresh, now) || hasNoSpace ? {} : { tags: closed(fresh, upTo, restoredBy) };
  }).slice(0, 1);
}

function closed(version: KeyVersion, { id, revokedOn }: RevocationName, restoredBy: string): Record<string, string> {
  return {
    ...otherTags(version),
    [RESTORED_TAG]: [id, revokedOn.toISOString(), restoredBy, version.version].join(' '),
  };
}
