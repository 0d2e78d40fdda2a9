import { z } from 'zod';
import type { AuditFiles } from '../audit/audit-client.ts';
import { readRecordsSince } from '../audit/lines.ts';
import { GUID } from '../http/auth-config.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { RevocationStamp } from './revocation.ts';

/** A revocation or restore of a key in the audit trail. */
export type RevocationEvent = NonNullable<ReturnType<typeof parseRevocationEvent>>;

/**
 * Lists the revocations and restores of a key since a time, newest first. A record counts by its resource, because any
 * writer of tags or messages can choose a revocation's id.
 *
 * @param signal stops the read, which may cover months
 * @throws the SDK's error when the app cannot read the trail, and the signal's reason
 */
export type KeyTrail = (key: ManagedKey, since: Date, signal?: AbortSignal) => Promise<readonly RevocationEvent[]>;

/** Kinds of events by action and reason. A rejected or overtaken restore is no event. */
const DID: Readonly<Record<string, 'revoke' | 'restore'>> = {
  'key.revoke Revoked': 'revoke',
  'key.revoke RevocationIncomplete': 'revoke',
  'key.restore RestoreBegun': 'restore',
  'key.restore Restored': 'restore',
  'key.restore RestoreIncomplete': 'restore',
};
const COMPLETE: ReadonlySet<string> = new Set(['Revoked', 'Restored']);
const time = z.iso.datetime().transform((text) => new Date(text));
const ENTRY = z.object({
  id: z.string().optional(),
  action: z.string(),
  reason: z.string(),
  resource: z.string(),
  caller: z.object({ objectId: z.string().regex(GUID).toLowerCase() }),
  details: z.object({
    revocation: z.object({
      id: z.string(),
      revokedOn: time,
      // Absent from the record of a restore that was derived from the tags.
      revokedBy: z.string().default(''),
      // Version with the tag from which the record was derived.
      version: z.string().optional(),
      joined: z.array(z.string()).exactOptional(),
    }),
    joins: z.object({ id: z.string(), revokedOn: time, revokedBy: z.string() }).exactOptional(),
    carriers: z.array(z.object({ version: z.string(), wasEnabled: z.boolean() })).default([]),
    versions: z.array(z.object({ recorded: z.boolean() })).catch([]),
    foundIn: z.string().optional(),
  }),
});

/** Text that the JSON of records with the actions `key.revoke` and `key.restore` has in common. */
const ABOUT = '"action":"key.re';

export function createKeyTrail(files: AuditFiles): KeyTrail {
  return async (key, since, signal) => {
    const records = await Array.fromAsync(readRecordsSince(files, ABOUT, since, signal));
    return records.flatMap(({ entry }) => parseRevocationEvent(entry, key) ?? []);
  };
}

/**
 * Lists the versions of a key that the app disabled under an open revocation since a time, by {@link createKeptRevokedId}.
 *
 * @throws the SDK's error when the app cannot read the trail
 */
export type KeptTrail = (key: ManagedKey, since: Date) => Promise<ReadonlySet<string>>;

const KEPT = z.object({
  action: z.literal('key.keepRevoked'),
  resource: z.string(),
  details: z.object({ version: z.string(), revocation: z.string() }),
});

export function createKeptTrail(files: AuditFiles): KeptTrail {
  return async (key, since) => {
    const records = await Array.fromAsync(readRecordsSince(files, '"action":"key.keepRevoked"', since));
    return new Set(records.flatMap(({ entry }) => findKeptRevokedId(entry, key) ?? []));
  };
}

/** Returns undefined if the entry is about no version of this key that the app disabled under a revocation. */
export function findKeptRevokedId(entry: unknown, key: Pick<ManagedKey, 'id'>): string | undefined {
  const { data } = KEPT.safeParse(entry);
  if (!data || data.resource.toLowerCase() !== key.id.toLowerCase()) return undefined;
  return createKeptRevokedId(data.details.revocation, data.details.version);
}

/** Id of the audit record of a version that the app disabled under an open revocation. */
export function createKeptRevokedId(revocation: string, version: string): string {
  return `key.keepRevoked/${revocation}/${version}`;
}

/** Undefined: the entry is no revocation or restore of this key. */
export function parseRevocationEvent(entry: unknown, key: Pick<ManagedKey, 'id'>) {
  const { data } = ENTRY.safeParse(entry);
  const did = data && DID[`${data.action} ${data.reason}`];
  if (!did || data.resource.toLowerCase() !== key.id.toLowerCase()) return undefined;

  const { carriers, versions, foundIn, joins } = data.details;
  const isComplete = COMPLETE.has(data.reason);
  const { version: shownOn, ...revocation } = data.details.revocation;

  return {
    /** Id of the audit record. */
    id: data.id,
    did,
    /** The revocation that was made or restored, as Key Vault returned it to the call. */
    revocation: revocation satisfies RevocationStamp,
    /** Of a revocation: the open revocation that it replaced in the key's tags. */
    joins,
    /** Object id of the caller, in lower case. */
    by: data.caller.objectId,
    /** Whether a read confirmed that the whole change took effect. */
    isComplete,
    /** Of a revocation: whether a version had its record; false if Key Vault confirmed no write. */
    wasRecorded: isComplete || carriers.length > 0 || versions.some(({ recorded }) => recorded),
    /** Of a revocation: versions with its record, and whether they were enabled before. */
    carriers: new Map(carriers.map(({ version, wasEnabled }) => [version, wasEnabled])),
    /** Of a restore: the key's tags had the revocation, including its caller, at the start of the call. */
    isShown: did === 'restore' && shownOn !== undefined,
    /** Derived from the key's tags, because the call recorded nothing: proves only the caller. */
    isFound: foundIn !== undefined,
  };
}
