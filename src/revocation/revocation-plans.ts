import { CLOCKS_MS, LATE_WRITE_MS } from '../formats/spans.ts';
import { compareAge, type KeyVersion } from '../keys/key-versions.ts';
import {
  formatRevocation,
  isNewer,
  isRevoker,
  MAX_TAGS,
  RESTORED_TAG,
  REVOCATION_TAG,
  type Restored,
  type Revocation,
  type RevocationName,
  type RevocationStamp,
  readRevocation,
  revocationOf,
} from './revocation.ts';
import { joinRevokers } from './revokers.ts';

/** Age below which a change may belong to a running restore, in milliseconds. */
const UNDER_WAY_MS = 10_000;

/** Change of a version. Writes are separate: enabling never touches tags. */
export interface VersionChange {
  readonly version: KeyVersion;
  /** Undefined: unchanged. */
  readonly enabled?: boolean;
  /** Replaces all tags, so it includes the existing tags; undefined: tags are unchanged. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Plans the change again from a new read of the version. */
  readonly again?: Replan;
}

/** Plans the change of a version; an empty plan changes nothing. */
type Replan = (version: KeyVersion) => Pick<VersionChange, 'enabled' | 'tags'>;

/** Plans the versions that need a change, each to be planned again right before its write. */
export function planEach(versions: readonly KeyVersion[], again: Replan): VersionChange[] {
  return versions
    .map((version) => ({ version, ...again(version), again }))
    .filter(({ enabled, tags }) => enabled !== undefined || tags !== undefined);
}

/**
 * Plans a revocation: disables every enabled version, newest first, and writes the record to each. Replaces older
 * records, so a running restore notices the newer revocation. A version without a free tag is disabled without a
 * record.
 */
export function planRevocation(versions: readonly KeyVersion[], stamp: RevocationStamp, now: Date): VersionChange[] {
  const { restored } = readRevocation(versions, now);
  return newestFirst(versions).flatMap((version): VersionChange[] => {
    if (version.enabled) return [disabling(version, stamp, restored, now)];
    const { tags } = replacingRecord(version, stamp, restored, now);
    return tags ? [{ version, tags }] : [];
  });
}

/** For a disabled version: replaces an older record. */
function replacingRecord(
  version: KeyVersion,
  stamp: RevocationStamp,
  restored: Restored | undefined,
  now: Date,
): Pick<VersionChange, 'tags'> {
  const record = revocationOf(version, now);
  if (!record || !isNewer(stamp, record)) return {};
  return { tags: withRecord(version, stamp, record.wasEnabled, restored, now) };
}

/** Adds the record to a disabled version if no version has it: later passes need a record. */
export function planCarrier(versions: readonly KeyVersion[], stamp: RevocationStamp, now: Date): VersionChange[] {
  const { open, restored } = readRevocation(versions, now);
  if (open) return [];
  for (const version of newestFirst(versions)) {
    const tags = version.enabled ? undefined : withRecord(version, stamp, false, restored, now);
    if (tags) return [{ version, tags }];
  }
  return [];
}

/**
 * Plans the versions that an open revocation disables while no restore runs: versions created since, and versions that
 * the revocation did not reach. If a version is enabled and has the record, a person or a late write enabled it. Only
 * with `alsoLate` does the plan disable such a version again.
 *
 * @param opened versions that an overtaken restore has just enabled, which are disabled in any case
 */
export function planKeepRevoked(
  versions: readonly KeyVersion[],
  now: Date,
  { alsoLate = false, opened }: { readonly alsoLate?: boolean; readonly opened?: ReadonlySet<string> } = {},
): VersionChange[] {
  const { open, restoringBy, records, restored } = readRevocation(versions, now);
  if (!open || restoringBy) return [];

  const isLeft = (version: KeyVersion): boolean => {
    if (opened?.has(version.version)) return false;
    if (isByHand(version, open)) return true;
    return records.get(version.version)?.id === open.id && (!alsoLate || isUnderWay(version, now));
  };

  return newestFirst(versions)
    .filter((version) => version.enabled && !isLeft(version))
    .map((version) => unlessRestored(disabling(version, open, restored, now), open, now));
}

/**
 * An in-flight write may have removed the record from versions of the revocation. Plans to disable such versions with
 * the record again, unless this revocation or a newer revocation was restored since.
 *
 * @param recorded versions that had the revocation's record, and whether they were enabled before
 */
export function planRepair(
  versions: readonly KeyVersion[],
  stamp: RevocationStamp,
  recorded: ReadonlyMap<string, boolean>,
  now: Date,
): VersionChange[] {
  const { open, restoringBy, restored } = readRevocation(versions, now);
  if (restored && !isNewer(stamp, restored)) return [];

  // No version has any sign of a revocation: another tool deleted all tags, since no write of this app does so.
  if ((!open && !restored) || (restoringBy && open && !isNewer(stamp, open))) return [];
  return planRecordAgain(versions, stamp, recorded, now).filter(({ version }) => !isChangedLater(version, stamp));
}

/** Adds the record again to versions that have lost it. */
export function planRecordAgain(
  versions: readonly KeyVersion[],
  stamp: RevocationStamp,
  recorded: ReadonlyMap<string, boolean>,
  now: Date,
): VersionChange[] {
  const { restored, records } = readRevocation(versions, now);

  return versions.flatMap((version): VersionChange[] => {
    const wasEnabled = recorded.get(version.version);
    if (wasEnabled === undefined || isCurrent(records.get(version.version), stamp, restored)) return [];
    return [
      version.enabled
        ? disabling(version, stamp, restored, now)
        : { version, tags: withRecord(version, stamp, wasEnabled, restored, now) },
    ];
  });
}

/** Whether a version has the record of this revocation or of a newer revocation. A late call writes an older record. */
function isCurrent(record: Revocation | undefined, stamp: RevocationStamp, restored: Restored | undefined): boolean {
  return record !== undefined && !isNewer(stamp, record) && (!restored || isNewer(record, restored));
}

/**
 * If several callers revoke at the same time, the newest revocation keeps its record. The record also names the other
 * revokers, who must not restore the key either.
 */
export function planJoin(versions: readonly KeyVersion[], stamp: RevocationStamp, now: Date): VersionChange[] {
  const { open, restoringBy, records } = readRevocation(versions, now);
  if (!open || restoringBy || !isNewer(open, stamp)) return [];
  if (isRevoker(versions, stamp.revokedBy, now)) return [];
  const carriers = newestFirst(versions).filter(({ version }) => records.get(version)?.id === open.id);
  return planEach(carriers.slice(0, 1), (fresh) => {
    const record = revocationOf(fresh, now);
    if (!record || record.id !== open.id || record.restoringBy) return {};
    return { tags: tagsWith(fresh, { ...record, ...joinRevokers(record, [stamp]) }) };
  });
}

/**
 * Whether a restore may be running: its writes follow each other within seconds. A later verification sees its result.
 */
export function isUnderWay(version: KeyVersion, now: Date): boolean {
  return now.getTime() - changedOn(version).getTime() < UNDER_WAY_MS;
}

/**
 * Time when a restore closed the first record of a revocation, by Key Vault's clock; a later change of a version delays
 * this time.
 */
export function closedOn(versions: readonly KeyVersion[], { id }: Pick<Restored, 'id'>, now: Date): Date {
  const closed = versions.filter((version) => readRevocation([version], now).restored?.id === id);
  return new Date(Math.min(...closed.map((version) => changedOn(version).getTime())));
}

function changedOn({ createdOn, updatedOn }: KeyVersion): Date {
  return updatedOn ?? createdOn;
}

/** Whether a person enabled this version, well after the revocation. */
export function isByHand(version: KeyVersion, stamp: RevocationName): boolean {
  if (version.createdOn.getTime() >= stamp.revokedOn.getTime() - CLOCKS_MS) return false;
  return isChangedLater(version, stamp);
}

/** Whether a version was changed after every in-flight write of the revocation must have ended. */
export function isChangedLater(version: KeyVersion, { revokedOn }: RevocationName): boolean {
  return changedOn(version).getTime() > revokedOn.getTime() + LATE_WRITE_MS;
}

export function newestFirst(versions: readonly KeyVersion[]): KeyVersion[] {
  return [...versions].sort((a, b) => compareAge(b, a));
}

function disabling(
  version: KeyVersion,
  stamp: RevocationStamp,
  restored: Restored | undefined,
  now: Date,
): VersionChange {
  const again: Replan = (fresh) =>
    fresh.enabled
      ? { enabled: false, tags: withRecord(fresh, stamp, true, restored, now) }
      : replacingRecord(fresh, stamp, restored, now);
  return { version, ...again(version), again };
}

/**
 * Skips a change if the version's own tombstone shows that a restore ran between the verification's list and its write.
 */
function unlessRestored(change: VersionChange, open: RevocationStamp, now: Date): VersionChange {
  const again: Replan = (fresh) => {
    const { restored } = readRevocation([fresh], now);
    return restored && !isNewer(open, restored) ? {} : disabling(fresh, open, restored, now);
  };
  return { ...change, again };
}

/**
 * Tags of a version with the record in place of older records; undefined if the version has no free tag. The record
 * adds the revokers of the replaced record if it is the version's own and no restore closed it.
 *
 * @param restored the key's newest restore
 */
export function withRecord(
  version: KeyVersion,
  stamp: RevocationStamp,
  wasEnabled: boolean,
  restored: Restored | undefined,
  now: Date,
): Record<string, string> | undefined {
  const before = revocationOf(version, now);
  const isOpen = before !== undefined && (!restored || isNewer(before, restored));
  const { id, revokedOn } = stamp;
  const who = joinRevokers(stamp, isOpen ? [before] : []);

  return tagsWith(version, { id, revokedOn, ...who, version: version.version, wasEnabled });
}

function tagsWith(version: KeyVersion, record: Revocation): Record<string, string> | undefined {
  const others = otherTags(version);
  if (Object.keys(others).length >= MAX_TAGS) return undefined;
  return { ...others, [REVOCATION_TAG]: formatRevocation(record) };
}

/** Tags other than the app's revocation records. */
export function otherTags({ tags }: KeyVersion): Record<string, string> {
  const { [REVOCATION_TAG]: _record, [RESTORED_TAG]: _restored, ...others } = tags;
  return others;
}
