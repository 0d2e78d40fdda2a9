import { z } from 'zod';
import type { AuditFiles } from '../audit/audit-files.ts';
import { recordsSince } from '../audit/read-backwards.ts';
import { GUID } from '../http/auth-config.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { RevocationStamp } from './revocation.ts';

/** A revocation or a restore of a key, as the audit trail has it. */
export interface RevocationEvent {
  /** Id of the audit record. */
  readonly id: string | undefined;
  readonly did: 'revoke' | 'restore';
  /** The revocation that was made, or restored, as Key Vault showed it to the call. */
  readonly revocation: RevocationStamp;
  /** Object id of the caller, in lower case. */
  readonly by: string;
  /** Whether a read proved that it was done as a whole. */
  readonly isComplete: boolean;
  /** Of a revocation: versions that carry its record, and whether they were enabled before. */
  readonly carriers: ReadonlyMap<string, boolean>;
  /** Of a restore: the key's tags showed the revocation, and so who made it, when the call began. */
  readonly isShown: boolean;
  /** Written from the key's tags, since the call itself recorded nothing: proves who it was, and no more. */
  readonly isFound: boolean;
}

/**
 * Lists the revocations and restores of a key since then, newest first. A record counts by its resource, never by the id of a
 * revocation, which writers of tags and messages can choose.
 *
 * @param signal ends the reading: it may go back by months
 * @throws the SDK's error when the trail cannot be read, and the reason of the signal
 */
export type KeyTrail = (key: ManagedKey, since: Date, signal?: AbortSignal) => Promise<readonly RevocationEvent[]>;

/** By action and reason. A restore that was refused or overtaken counts as none. */
const DID: Readonly<Record<string, RevocationEvent['did']>> = {
  'key.revoke Revoked': 'revoke',
  'key.revoke RevocationIncomplete': 'revoke',
  'key.restore RestoreBegun': 'restore',
  'key.restore Restored': 'restore',
  'key.restore RestoreIncomplete': 'restore',
};
const COMPLETE: ReadonlySet<string> = new Set(['Revoked', 'Restored']);
const OBJECT_ID = z
  .string()
  .regex(GUID)
  .transform((id) => id.toLowerCase());
const ENTRY = z.object({
  id: z.string().optional(),
  action: z.string(),
  reason: z.string(),
  resource: z.string(),
  caller: z.object({ objectId: OBJECT_ID }),
  details: z.object({
    revocation: z.object({
      id: z.string(),
      revokedOn: z.iso.datetime().transform((time) => new Date(time)),
      // Absent from the record of a restore that was written from the tags.
      revokedBy: z.string().default(''),
      // The version whose tag showed it.
      version: z.string().optional(),
      joined: z.array(z.string()).exactOptional(),
    }),
    carriers: z.array(z.object({ version: z.string(), wasEnabled: z.boolean() })).default([]),
    foundIn: z.string().optional(),
    // A record of version 2 that has `true` was written from a message, which proves nothing.
    foundLater: z.literal(false).optional(),
  }),
});

/** Common to the actions `key.revoke` and `key.restore`, as a record has them in its JSON. */
const ABOUT = '"action":"key.re';

export function keyTrail(files: AuditFiles): KeyTrail {
  return async (key, since, signal) => {
    const events: RevocationEvent[] = [];
    for await (const { entry } of recordsSince(files, ABOUT, since, signal)) {
      const event = eventOf(entry, key);
      if (event) events.push(event);
    }
    return events;
  };
}

/** Undefined: no revocation or restore of this key. */
export function eventOf(entry: unknown, key: Pick<ManagedKey, 'id'>): RevocationEvent | undefined {
  const { data } = ENTRY.safeParse(entry);
  const did = data && DID[`${data.action} ${data.reason}`];
  if (!did || data.resource.toLowerCase() !== key.id.toLowerCase()) return undefined;
  const { carriers, foundIn } = data.details;
  const { version: shownOn, ...revocation } = data.details.revocation;
  return {
    id: data.id,
    did,
    revocation,
    by: data.caller.objectId,
    isComplete: COMPLETE.has(data.reason),
    carriers: new Map(carriers.map(({ version, wasEnabled }) => [version, wasEnabled])),
    isShown: did === 'restore' && shownOn !== undefined,
    isFound: foundIn !== undefined,
  };
}
