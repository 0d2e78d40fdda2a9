import { randomBytes } from 'node:crypto';
import { GUID } from '../http/auth-config.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import { CLOCKS_MS } from '../time/spans.ts';
import { formatRevokers, hasRevoked, joinRevokers, parseRevokers, type Revokers } from './revokers.ts';

/**
 * The record of a revocation is this tag on each version that it disabled, so that a restore needs no other store:
 * `<id> <time> <who revoked> <version> [off] [restoring <object id>]`. Key Vault's PATCH without tags leaves tags alone; with tags it
 * replaces them all.
 */
export const REVOCATION_TAG = 'cmk-revocation';
/**
 * What a restore leaves in place of the record: `<id> <time> <object id of who restored> <version>`. Every record that is
 * not newer is closed by it: a write of the app that was still under way cannot open the revocation again.
 */
export const RESTORED_TAG = 'cmk-restored';
/** Tags that Key Vault allows a version; each of 256 characters (Key Vault, "About keys"). */
export const MAX_TAGS = 15;
const MAX_TAG_CHARACTERS = 256;
/** Word of the record on a version that was off before. */
const WAS_OFF = 'off';
/** Word of the record of a revocation that is being restored. */
const RESTORING = 'restoring';
/** A restore marks the record as it is: for its words there has to be room from the beginning. */
const RESERVED_CHARACTERS = ` ${WAS_OFF} ${RESTORING} `.length + 36;

/** A record is newer than all that it has seen by a millisecond at least; so it may be ahead by a little more. */
const BELIEVED_AHEAD_MS = CLOCKS_MS + 60_000;
const ID = /^[0-9A-Za-z-]{4,64}$/;

/** A random, unique id of a revocation, an order or a pause. */
export function newId(): string {
  return randomBytes(10).toString('hex');
}

/** Whether `named` is this revocation's id; ids ignore letter case. */
export function isNamed(id: string | undefined, named: string): boolean {
  return id?.toLowerCase() === named.toLowerCase();
}

/** Which revocation. Of two, the one with the later time is the newer one. */
export interface RevocationName {
  readonly id: string;
  readonly revokedOn: Date;
}

/** A revocation, and who revoked. */
export interface RevocationStamp extends RevocationName, Revokers {}

/** The record as one version carries it. */
export interface Revocation extends RevocationStamp {
  /** The version that carries the record: a tag that a rotation copied onto another version does not count for that one. */
  readonly version: string;
  /** False: the version was off already and only carries the record. A restore leaves it as it is. */
  readonly wasEnabled: boolean;
  /** Object id of who restores the key: nothing is disabled any more under this revocation. */
  readonly restoringBy?: string | undefined;
}

/** What a restore left on a version: which revocation was restored, and by whom. */
export interface Restored extends RevocationName {
  /** Object id of the caller who restored. */
  readonly restoredBy: string;
  readonly version: string;
}

/** What the tags of a key's versions say of its revocations. */
export interface RevocationReading {
  /** The newest revocation that is not restored. */
  readonly open: Revocation | undefined;
  /** Object id of the person who restores the open revocation; undefined: no restore runs. */
  readonly restoringBy?: string | undefined;
  /** The newest revocation that was restored. */
  readonly restored: Restored | undefined;
  /** By version, whether they are closed by a restore or not. */
  readonly records: ReadonlyMap<string, Revocation>;
  /** Versions whose record this app cannot have written; the record is ignored. */
  readonly unbelieved: readonly string[];
}

/** Reads the revocations of a key from its versions' tags. */
export function readRevocation(versions: readonly KeyVersion[], now: Date): RevocationReading {
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
  return { open, restoringBy: marked?.restoringBy, restored, records, unbelieved };
}

/** The open revocation of a key; the newest, should there be several. */
export function openRevocation(versions: readonly KeyVersion[], now: Date): Revocation | undefined {
  return readRevocation(versions, now).open;
}

/** Whether the tags name that person or application among those who revoked and are not restored. */
export function isRevoker(versions: readonly KeyVersion[], objectId: string, now: Date): boolean {
  return openRecords(versions, now).some((record) => hasRevoked(record, objectId));
}

/** Records of revocations that are not restored, the latest first. */
export function openRecords(versions: readonly KeyVersion[], now: Date): readonly Revocation[] {
  const { records, restored } = readRevocation(versions, now);
  return [...records.values()]
    .filter((record) => !restored || isNewer(record, restored))
    .sort((a, b) => Number(isNewer(b, a)) - Number(isNewer(a, b)));
}

/** The revocation whose record this version carries, restored or not. */
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
 * The same revocation, newer than everything that these versions show: clocks differ, and a revocation that began after
 * another one, or after its restore, has to differ from it.
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

/** Undefined for what this app has not written. */
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

/** A record from the future would be newer than every revocation to come. */
function isBelieved({ revokedOn }: Pick<RevocationName, 'revokedOn'>, now: Date): boolean {
  return revokedOn.getTime() <= now.getTime() + BELIEVED_AHEAD_MS;
}

/** Whether a record stands on a version that is neither believed nor another version's. */
function isOdd(version: KeyVersion, now: Date): boolean {
  const tag = version.tags[REVOCATION_TAG];
  const record = tag === undefined ? undefined : parseRevocation(tag);
  return tag !== undefined && (!record || (record.version === version.version && !isBelieved(record, now)));
}

function isTime(time: Date, text: string): boolean {
  return !Number.isNaN(time.getTime()) && time.toISOString() === text;
}
