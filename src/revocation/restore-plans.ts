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
import { isChangedLater, newestFirst, otherTags, type VersionChange } from './revocation-plans.ts';

/** The only record there is stays untouched: a newer revocation that is just written there would be lost with it. */
export function canMark(versions: readonly KeyVersion[], now: Date): boolean {
  return readRevocation(versions, now).records.size > 1;
}

/** The first write of a restore: the newest version with the open revocation's record says that it is being restored. */
export function planMark(versions: readonly KeyVersion[], restoringBy: string, now: Date): VersionChange[] {
  const { open, restoringBy: other, records } = readRevocation(versions, now);
  if (!open || other || !canMark(versions, now)) return [];
  const carriers = newestFirst(versions).filter(({ version }) => records.get(version)?.id === open.id);
  const again = (fresh: KeyVersion): Pick<VersionChange, 'tags'> => {
    const record = revocationOf(fresh, now);
    if (record?.id !== open.id) return {};
    return { tags: { ...fresh.tags, [REVOCATION_TAG]: formatRevocation({ ...record, restoringBy }) } };
  };
  return carriers.slice(0, 1).map((version) => ({ version, ...again(version), again }));
}

/** The second: what the revocation, or one that it joined, disabled is enabled, newest first; tags stay untouched. */
export function planReopen(versions: readonly KeyVersion[], upTo: RevocationName, now: Date): VersionChange[] {
  return newestFirst(versions).flatMap((version): VersionChange[] => {
    const record = revocationOf(version, now);
    return record?.wasEnabled && !version.enabled && !isNewer(record, upTo) ? [{ version, enabled: true }] : [];
  });
}

/**
 * An older restore that wrote late may have taken the record of a newer revocation away, just before that one was restored:
 * what it had disabled there stayed off. Its own tombstone, which is older than the revocation, gives that away. It is
 * enabled, and in the next wave gets the newer tombstone, so that it is not enabled once more when a person disables it.
 *
 * @param recorded versions that the revocation had recorded, and whether they were on before
 */
export function planReopenLost(
  versions: readonly KeyVersion[],
  upTo: RevocationName,
  recorded: ReadonlyMap<string, boolean>,
  now: Date,
): VersionChange[] {
  const { open, restored } = readRevocation(versions, now);
  if (open || !restored || isNewer(upTo, restored)) return [];
  const again = (fresh: KeyVersion): Pick<VersionChange, 'enabled' | 'tags'> => {
    const { records, restored: own } = readRevocation([fresh], now);
    if (records.size > 0 || !own || !isNewer(upTo, own)) return {};
    if (fresh.enabled) return { tags: closed(fresh, restored, restored.restoredBy) };
    // A person disabled it since: a verification may come at any time.
    return isChangedLater(fresh, upTo) ? {} : { enabled: true };
  };
  return newestFirst(versions)
    .filter(({ version }) => recorded.get(version))
    .map((version) => ({ version, ...again(version), again }))
    .filter(({ enabled, tags }) => enabled !== undefined || tags !== undefined);
}

/** The last: the records go, and say instead that the revocation was restored. */
export function planClose(
  versions: readonly KeyVersion[],
  upTo: RevocationName,
  restoredBy: string,
  now: Date,
): VersionChange[] {
  const again = (fresh: KeyVersion): Pick<VersionChange, 'tags'> => {
    const record = revocationOf(fresh, now);
    if (!record || isNewer(record, upTo)) return {};
    // A late write has disabled it once more: its record is what it is enabled by in the next wave.
    if (record.wasEnabled && !fresh.enabled) return {};
    return { tags: closed(fresh, upTo, restoredBy) };
  };
  return newestFirst(versions).flatMap((version): VersionChange[] => {
    const { tags } = again(version);
    return tags ? [{ version, tags, again }] : [];
  });
}

/**
 * An older restore that wrote late may have taken the last record away before this one came to it: that this revocation is
 * restored is said all the same, or a later verification would write its record again.
 */
export function planCloseLost(
  versions: readonly KeyVersion[],
  upTo: RevocationName,
  restoredBy: string,
  now: Date,
): VersionChange[] {
  const { restored } = readRevocation(versions, now);
  if (restored && !isNewer(upTo, restored)) return [];
  const again = (fresh: KeyVersion): Pick<VersionChange, 'tags'> =>
    revocationOf(fresh, now) || Object.keys(otherTags(fresh)).length >= MAX_TAGS
      ? {}
      : { tags: closed(fresh, upTo, restoredBy) };
  return newestFirst(versions)
    .map((version) => ({ version, ...again(version), again }))
    .filter(({ tags }) => tags)
    .slice(0, 1);
}

function closed(version: KeyVersion, { id, revokedOn }: RevocationName, restoredBy: string): Record<string, string> {
  return {
    ...otherTags(version),
    [RESTORED_TAG]: [id, revokedOn.toISOString(), restoredBy, version.version].join(' '),
  };
}
