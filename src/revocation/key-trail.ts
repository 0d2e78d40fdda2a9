import { z } from 'zod';
import type { AuditFiles } from '../audit/audit-files.ts';
import { recordsSince } from '../audit/records-since.ts';
import { GUID } from '../http/auth-config.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { RevocationStamp } from './revocation.ts';

/** A revocation or a restore of a key, as the audit trail has it. */
export interface RevocationEvent {
  readonly did: 'revoke' | 'restore';
  /** The revocation that was made, or restored, as Key Vault showed it to the call. */
  readonly revocation: RevocationStamp;
  /** Object id of the caller, in lower case. */
  readonly by: string;
  /** Whether a read proved that it was done as a whole. */
  readonly isComplete: boolean;
  /** Of a revocation: versions that carry its record, and whether they were enabled before. */
  readonly carriers: ReadonlyMap<string, boolean>;
  /** It was concluded from the key's tags, as the call itself has recorded nothing: who it was is known, no more. */
  readonly isFound: boolean;
}

/**
 * The revocations and restores of that very key since then, newest first. Which key a record is about is compared, never
 * concluded from the id of a revocation: ids stand in tags and messages, where others can write them.
 *
 * @param signal ends the reading: it may go back by months
 * @throws the SDK's error when the trail cannot be read, and the reason of the signal
 */
export type KeyTrail = (key: ManagedKey, since: Date, signal?: AbortSignal) => Promise<readonly RevocationEvent[]>;

/** A restore that was refused, or overtaken, is none. */
const DID: Readonly<Record<string, RevocationEvent['did']>> = {
  'key.revoke Revoked': 'revoke',
  'key.revoke RevocationIncomplete': 'revoke',
  'key.restore Restored': 'restore',
  'key.restore RestoreIncomplete': 'restore',
};
const COMPLETE: ReadonlySet<string> = new Set(['Revoked', 'Restored']);
const OBJECT_ID = z
  .string()
  .regex(GUID)
  .transform((id) => id.toLowerCase());
const ENTRY = z.object({
  action: z.string(),
  reason: z.string(),
  resource: z.string(),
  caller: z.object({ objectId: OBJECT_ID }),
  details: z.object({
    revocation: z.object({
      id: z.string(),
      revokedOn: z.iso.datetime().transform((time) => new Date(time)),
      // A restore that was concluded from the tags does not know it.
      revokedBy: z.string().default(''),
      joined: z.array(z.string()).exactOptional(),
      shortened: z.array(z.string()).exactOptional(),
    }),
    carriers: z.array(z.object({ version: z.string(), wasEnabled: z.boolean() })).default([]),
    foundIn: z.string().optional(),
    // Version 2 believed the message that it found the record's content in.
    foundLater: z.literal(false).optional(),
  }),
});

/** In a record as this app writes it. */
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

/** Undefined: it is about another key, or about something else. */
export function eventOf(entry: unknown, key: Pick<ManagedKey, 'id'>): RevocationEvent | undefined {
  const { data } = ENTRY.safeParse(entry);
  const did = data && DID[`${data.action} ${data.reason}`];
  if (!did || data.resource.toLowerCase() !== key.id.toLowerCase()) return undefined;
  const { revocation, carriers, foundIn } = data.details;
  return {
    did,
    revocation,
    by: data.caller.objectId,
    isComplete: COMPLETE.has(data.reason),
    carriers: new Map(carriers.map(({ version, wasEnabled }) => [version, wasEnabled])),
    isFound: foundIn !== undefined,
  };
}
