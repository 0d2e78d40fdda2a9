import { randomBytes } from 'node:crypto';
import { CLOCKS_MS } from '../formats/spans.ts';
import { GUID } from '../http/auth-config.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { formatRevokers, hasRevoked, joinRevokers, parseRevokers, type Revokers } from './revokers.ts';

/**
 * Tag with the record of a revocation on each version that it disabled, so a restore needs no other store: `<id> <time>
 * <revoker> <version> [off] [restoring <object id>]`. Key Vault's PATCH without tags leaves tags unchanged; a PATCH
 * with tags replaces all tags.
 */
export const REVOCATION_TAG = 'cmk-revocation';
/**
 * Tombstone that a restore writes in place of the record: `<id> <time> <object id of the restorer> <version>`. It
 * closes every record that is not newer, so a late write of the app cannot reopen the revocation.
 */
export const RESTORED_TAG = 'cmk-restored';
/** Maximum number of tags per version, each of 256 characters (Key Vault, "About keys"). */
export const MAX_TAGS = 15;
const MAX_TAG_CHARACTERS = 256;
/** Word in the record of a version that was disabled before. */
const WAS_OFF = 'off';
/** Word in the record of a revocation that is being restored. */
const RESTORING = 'restoring';
/** Characters reserved in a record, so a restore can later add its words. */
const RESERVED_CHARACTERS = ` ${WAS_OFF} ${RESTORING} `.length + 36;

/**
 * Most that a record may be in the future, in milliseconds: a record is at least a millisecond newer than existing
 * records.
 */
const BELIEVED_AHEAD_MS = CLOCKS_MS + 60_000;
const ID = /^[0-9A-Za-z-]{4,64}$/;

/** Creates a random, unique id of a revocation, order or pause. */
export function newId(): string {
  return randomBytes(10).toString('hex');
}

/** Whether `named` is this revocation's id, ignoring letter case. */
export function isNamed(id: string | undefined, named: string): boolean {
  return id?.toLowerCase() === named.toLowerCase();
}

/** Id and time of a revocation. The revocation with the later time is newer. */
export interface RevocationName {
  readonly id: string;
  readonly revokedOn: Date;
}

/** A revocation and its callers. */
export interface RevocationStamp extends RevocationName, Revokers {}

/** Record of a revocation on a version. */
export interface Revocation extends RevocationStamp {
  /** Version named in the record: a tag that a rotation copied to another version does not count. */
  readonly version: string;
  /** False: the version was already disabled and only has the record. A restore does not enable it. */
  readonly wasEnabled: boolean;
  /** Object id of the caller whose restore has started. If set, this revocation disables no more versions. */
  readonly restoringBy?: string | undefined;
}

/** Tombstone of a restore on a version: the restored revocation and the restorer. */
export interface Restored extends RevocationName {
  /** Object id of the caller who restored. */
  readonly restoredBy: string;
  readonly version: string;
}

export type RevocationReading = ReturnType<typeof readRevocation>;

/** Reads the revocations of a key from its versions' tags. */
export function readRevocation(versions: readonly KeyVersion[], now: Date) {
  const records = new Map<string, Revocation>();
  const unbelieved: string[] = [];
  let restored: Restored | undefined;

  for (const version of versions) {
    const record = revocationOf(version, now);
    if (record) records.set(version.version, record);
    else if (isOdd(version, now)) unbelieved.push(version.version);

    const mark = restoredOf(version, now);
    if (mark && (!restored || isNewer(mark, restored))) restored = mark;
  }

  let open: Revocation | undefined;

  for (const record of records.values()) {
    if (restored && !isNewer(record, restored)) continue;
    if (!open || isNewer(record, open)) open = record;
  }

  const marked = [...records.values()].find((record) => record.id === open?.id && record.restoringBy);

  return {
    /** The newest revocation that is not restored. */
    open,
    /** Object id of the person who is restoring the open revocation; undefined: no restore is running. */
    restoringBy: marked?.restoringBy,
    /** Newest restored revocation. */
    restored,
    /** Records by version, whether or not a restore closed them. */
    records: records as ReadonlyMap<string, Revocation>,
    /** Versions whose record this app cannot have written; the record is ignored. */
    unbelieved,
  };
}

/** Newest open revocation of a key. */
export function openRevocation(versions: readonly KeyVersion[], now: Date): Revocation | undefined {
  return readRevocation(versions, now).open;
}

/** Whether the tags name the person or application as a revoker whose revocation is not restored. */
export function isRevoker(versions: readonly KeyVersion[], objectId: string, now: Date): boolean {
  return openRecords(versions, now).some((record) => hasRevoked(record, objectId));
}

/** Records of revocations that are not restored, newest first. */
export function openRecords(versions: readonly KeyVersion[], now: Date): readonly Revocation[] {
  const { records, restored } = readRevocation(versions, now);
  return [...records.values()]
    .filter((record) => !restored || isNewer(record, restored))
    .sort((a, b) => Number(isNewer(b, a)) - Number(isNewer(a, b)));
}

/** Revocation whose record is on this version, restored or not. */
export function revocationOf(version: KeyVersion, now: Date): Revocation | undefined {
  const tag = version.tags[REVOCATION_TAG];
  const record = tag === undefined ? undefined : parseRevocation(tag);
  return record?.version === version.version && isBelieved(record, now) ? record : undefined;
}

/** Whether `a` is newer than `b`. */
export function isNewer(a: RevocationName, b: RevocationName): boolean {
  return (a.revokedOn.getTime() - b.revokedOn.getTime() || (a.id < b.id ? -1 : Number(a.id > b.id))) > 0;
}

/**
 * The same revocation with a time newer than every record on these versions. Clocks differ, so a revocation that
 * started after another revocation or its restore would otherwise seem older.
 */
export function stampAfter(stamp: RevocationStamp, versions: readonly KeyVersion[], now: Date): RevocationStamp {
  const others = versions.flatMap((version) =>
    [revocationOf(version, now) ?? [], restoredOf(version, now) ?? []].flat(),
  );
  const newest = Math.max(...others.filter(({ id }) => id !== stamp.id).map(({ revokedOn }) => revokedOn.getTime()));
  const { revokedOn } = stamp;

  return {
    ...stamp,
    ...joinRevokers(stamp, openRecords(versions, now)),
    revokedOn: newest < revokedOn.getTime() ? revokedOn : new Date(Math.max(newest + 1, 0)),
  };
}

export function formatRevocation(revocation: Revocation): string {
  const { id, revokedOn, version, wasEnabled, restoringBy } = revocation;
  const words = [...(wasEnabled ? [] : [WAS_OFF]), ...(restoringBy ? [RESTORING, restoringBy] : [])];
  const time = revokedOn.toISOString();
  const room = MAX_TAG_CHARACTERS - RESERVED_CHARACTERS - `${id} ${time}  ${version}`.length;
  return [id, time, formatRevokers(revocation, room), version, ...words].join(' ');
}

/** Parses a record; undefined for a tag that this app has not written. */
export function parseRevocation(tag: string): Revocation | undefined {
  const [id = '', time = '', people = '', version = '', ...words] = tag.split(' ');
  const who = parseRevokers(people);
  const revokedOn = new Date(time);
  if (!ID.test(id) || !isTime(revokedOn, time) || !who || version === '') return undefined;
  const wasEnabled = words[0] !== WAS_OFF;
  const [restoring = RESTORING, restoringBy, ...rest] = wasEnabled ? words : words.slice(1);
  if (restoring !== RESTORING || rest.length > 0) return undefined;
  if (words.includes(RESTORING) && !GUID.test(restoringBy ?? '')) return undefined;
  return { id, revokedOn, ...who, version, wasEnabled, restoringBy };
}

function restoredOf(version: KeyVersion, now: Date): Restored | undefined {
  const [id = '', time = '', restoredBy = '', name = '', ...rest] = (version.tags[RESTORED_TAG] ?? '').split(' ');
  const revokedOn = new Date(time);
  if (!ID.test(id) || !isTime(revokedOn, time) || !GUID.test(restoredBy) || rest.length > 0) return undefined;
  const mark = { id, revokedOn, restoredBy, version: name };
  return name === version.version && isBelieved(mark, now) ? mark : undefined;
}

/** Whether a record's time is plausible. A record from the future would be newer than every later revocation. */
function isBelieved({ revokedOn }: Pick<RevocationName, 'revokedOn'>, now: Date): boolean {
  return revokedOn.getTime() <= now.getTime() + BELIEVED_AHEAD_MS;
}

/** Whether a version has an implausible record that does not belong to another version. */
function isOdd(version: KeyVersion, now: Date): boolean {
  const tag = version.tags[REVOCATION_TAG];
  const record = tag === undefined ? undefined : parseRevocation(tag);
  return tag !== undefined && (!record || (record.version === version.version && !isBelieved(record, now)));
}

function isTime(time: Date, text: string): boolean {
  return !Number.isNaN(time.getTime()) && time.toISOString() === text;
}
