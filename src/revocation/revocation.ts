import { createHash } from 'node:crypto';
import { compareAge, type KeyVersion } from '../keys/key-versions.ts';

/** The record of a revocation is this tag on each version that it disabled: restore needs no other store. */
export const REVOCATION_TAG = 'cmk-revocation';
/** Tags that Key Vault allows a version; each of 256 characters (Key Vault, "About keys"). */
export const MAX_TAGS = 15;
/** Last word of the record on a version that was off before. */
const WAS_OFF = 'off';

/**
 * The app's clock and Key Vault's may differ by this much: what was made so shortly before the revocation counts as made
 * later. Milliseconds.
 */
const CLOCKS_MS = 5 * 60_000;

/** Who revoked a key, and when. One key has one revocation at a time, whoever joins in. */
export interface RevocationStamp {
  readonly id: string;
  readonly revokedOn: Date;
  /** Object id of the caller who revoked. */
  readonly revokedBy: string;
}

export interface Revocation extends RevocationStamp {
  /** The version that carries the record: a tag that a rotation copied onto another version does not count for that one. */
  readonly version: string;
  /** False: the version was off already and only carries the record. A restore leaves it as it is. */
  readonly wasEnabled: boolean;
}

/** What to write to one version. `tags` replaces all tags, so it holds those that were there too. */
export interface VersionChange {
  readonly version: KeyVersion;
  readonly enabled: boolean;
  /** Undefined: the tags stay as they are. */
  readonly tags: Record<string, string> | undefined;
}

/** The open revocation of a key, if any version still carries one; the earliest, should there be several. */
export function openRevocation(versions: readonly KeyVersion[]): Revocation | undefined {
  return revocationsOf(versions)[0];
}

/** Object ids of everybody who revoked: a second person is none of them. */
export function revokers(versions: readonly KeyVersion[]): readonly string[] {
  return [...new Set(revocationsOf(versions).map((revocation) => revocation.revokedBy))];
}

/** The revocation whose record this version carries. */
export function revocationOf(version: KeyVersion): Revocation | undefined {
  const tag = version.tags[REVOCATION_TAG];
  const revocation = tag === undefined ? undefined : parseRevocation(tag);
  return revocation?.version === version.version ? revocation : undefined;
}

/**
 * The stamp for a revocation that starts from this state. Its id is made from the state read, so that two callers who
 * revoke at the same moment, having read the same, start the same revocation; one that is open already is joined.
 */
export function stampRevocation(
  keyId: string,
  versions: readonly KeyVersion[],
  revokedBy: string,
  now: Date,
): RevocationStamp {
  const open = openRevocation(versions);
  if (open) return { id: open.id, revokedOn: open.revokedOn, revokedBy };
  const state = versions
    .map(({ version, enabled, updatedOn }) => `${version} ${enabled} ${updatedOn?.getTime()}`)
    .sort()
    .join('\n');
  const id = createHash('sha256').update(`${keyId}\n${state}`).digest('hex').slice(0, 16);
  return { id, revokedOn: now, revokedBy };
}

/**
 * Disables every enabled version, newest first, each tagged. A version without a tag to spare is disabled all the same.
 * When that leaves no record at all, a version that was off already carries it: without one the key is not kept shut.
 */
export function planRevocation(versions: readonly KeyVersion[], stamp: RevocationStamp): VersionChange[] {
  const changes = close(versions, stamp);
  if (changes.some(({ tags }) => tags) || openRevocation(versions)) return changes;
  const off = versions.filter((version) => !version.enabled).sort((a, b) => compareAge(b, a));
  const carrier = off.find((version) => withTag(version, stamp, false));
  if (!carrier) return changes;
  return [...changes, { version: carrier, enabled: false, tags: withTag(carrier, stamp, false) }];
}

function close(versions: readonly KeyVersion[], stamp: RevocationStamp): VersionChange[] {
  return versions
    .filter((version) => version.enabled)
    .sort((a, b) => compareAge(b, a))
    .map((version) => ({ version, enabled: false, tags: withTag(version, stamp, true) }));
}

/**
 * While a revocation is open, what appears later is disabled under it too. One that was there before and was enabled by
 * hand since is a person's decision: it is reported, not fought.
 */
export function planKeepRevoked(versions: readonly KeyVersion[]): VersionChange[] {
  const open = openRevocation(versions);
  if (!open) return [];
  // The record's time is by the app's clock, creation times are by Key Vault's. To close one too many can be undone.
  const since = open.revokedOn.getTime() - CLOCKS_MS;
  const later = versions.filter((version) => version.createdOn.getTime() >= since && !revocationOf(version));
  return close(later, open);
}

/** Enables what the revocation disabled, and nothing else; the record goes, the other tags stay. */
export function planRestore(versions: readonly KeyVersion[]): VersionChange[] {
  return [...versions]
    .sort((a, b) => compareAge(b, a))
    .flatMap((version) => {
      const revocation = revocationOf(version);
      if (!revocation) return [];
      const { [REVOCATION_TAG]: _, ...tags } = version.tags;
      return { version, enabled: revocation.wasEnabled || version.enabled, tags };
    });
}

export function formatRevocation(revocation: Revocation): string {
  const { id, revokedOn, revokedBy, version, wasEnabled } = revocation;
  return [id, revokedOn.toISOString(), revokedBy, version, ...(wasEnabled ? [] : [WAS_OFF])].join(' ');
}

export function parseRevocation(tag: string): Revocation | undefined {
  const [id, time, revokedBy, version, off, ...rest] = tag.split(' ');
  if (!id || !time || !revokedBy || !version || (off ?? WAS_OFF) !== WAS_OFF || rest.length > 0) return undefined;
  const revokedOn = new Date(time);
  if (Number.isNaN(revokedOn.getTime())) return undefined;
  return { id, revokedOn, revokedBy, version, wasEnabled: off === undefined };
}

function revocationsOf(versions: readonly KeyVersion[]): Revocation[] {
  return versions
    .flatMap((version) => revocationOf(version) ?? [])
    .sort((a, b) => a.revokedOn.getTime() - b.revokedOn.getTime() || (a.revokedBy < b.revokedBy ? -1 : 1));
}

function withTag(version: KeyVersion, stamp: RevocationStamp, wasEnabled: boolean): Record<string, string> | undefined {
  const { [REVOCATION_TAG]: _, ...others } = version.tags;
  if (Object.keys(others).length >= MAX_TAGS) return undefined;
  return { ...others, [REVOCATION_TAG]: formatRevocation({ ...stamp, version: version.version, wasEnabled }) };
}
