import { z } from 'zod';
import type { AuditFiles } from '../audit/audit-client.ts';
import { readRecordsSince } from '../audit/lines.ts';
import { type AuditEntry, hashSha256 } from '../audit/record.ts';
import { KEY_GRANT, type KeyGrant } from '../identities/key-grants.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { RevocationCall } from '../revocation/follow-ups.ts';

// The audit trail alone knows a revocation by roles: a role assignment has no place for a record.

export type RoleReason =
  | 'RoleRevocationBegun'
  | 'RolesRevoked'
  | 'RoleRevocationIncomplete'
  | 'RolesRestored'
  | 'RoleRestoreIncomplete';

/** A revocation of a key by roles, as the audit trail has it. */
export interface RoleRevocation {
  readonly id: string;
  readonly revokedOn: Date;
  /** Object ids of everyone who took part, lower case: none of them may restore. */
  readonly revokedBy: ReadonlySet<string>;
  /** Every assignment that was recorded before its removal. */
  readonly removes: readonly KeyGrant[];
  readonly isRestored: boolean;
}

/** Text that the JSON of every record of both actions has in common. */
const ABOUT = '"action":"key.re';

const ENTRY = z.object({
  action: z.enum(['key.revokeRoles', 'key.restoreRoles']),
  reason: z.string(),
  resource: z.string(),
  caller: z.object({ objectId: z.string().toLowerCase() }),
  details: z.object({ revocation: z.object({ id: z.string().min(1) }), removes: z.array(KEY_GRANT).default([]) }),
});

/**
 * Reads the revocations of a key by roles, oldest first. A record counts by its resource.
 *
 * @throws the SDK's error when the trail cannot be read, and the signal's reason
 */
export async function readRoleRevocations(
  files: AuditFiles,
  { id: key }: Pick<ManagedKey, 'id'>,
  signal?: AbortSignal,
): Promise<readonly RoleRevocation[]> {
  const records = await Array.fromAsync(readRecordsSince(files, ABOUT, new Date(0), signal));
  const found = new Map<string, RoleRevocation>();

  for (const { time, entry } of records.reverse()) {
    const { data } = ENTRY.safeParse(entry);
    if (data?.resource.toLowerCase() !== key.toLowerCase()) continue;

    const { id } = data.details.revocation;
    const before = found.get(id);

    if (data.action === 'key.revokeRoles') {
      found.set(id, {
        id,
        revokedOn: before?.revokedOn ?? new Date(time),
        revokedBy: new Set([...(before?.revokedBy ?? []), data.caller.objectId]),
        removes: [...toUnique([...(before?.removes ?? []), ...data.details.removes])],
        isRestored: false,
      });
    } else if (before && data.reason === 'RolesRestored') {
      found.set(id, { ...before, isRestored: true });
    }
  }

  return [...found.values()];
}

/** A repeated record of one assignment counts once. */
function toUnique(grants: readonly KeyGrant[]): Iterable<KeyGrant> {
  return new Map(grants.map((grant) => [getGrantId(grant), grant])).values();
}

/** ARM id of the assignment, lower case. */
export function getGrantId({ scope, name }: Pick<KeyGrant, 'scope' | 'name'>): string {
  return `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`.toLowerCase();
}

/** Limits of one record, in assignments and bytes: the trail writes a record above 512 KiB without its details. */
const MOST_GRANTS = 500;
const MOST_BYTES = 400 * 1024;

/** Splits assignments so that each part fits into one record. */
export function splitForRecords(grants: readonly KeyGrant[]): KeyGrant[][] {
  const parts: KeyGrant[][] = [];
  let bytes = 0;

  for (const grant of grants) {
    const size = Buffer.byteLength(JSON.stringify(grant));
    const last = parts.at(-1);

    if (last && last.length < MOST_GRANTS && bytes + size <= MOST_BYTES) {
      last.push(grant);
      bytes += size;
    } else {
      parts.push([grant]);
      bytes = size;
    }
  }

  return parts;
}

/** The id follows from the content, so a repeated record of the same assignments has the same id. */
export function createRoleEntry(
  action: 'key.revokeRoles' | 'key.restoreRoles',
  reason: RoleReason,
  { id: resource }: Pick<ManagedKey, 'id'>,
  revocation: string,
  { caller, correlationId, why, ticket }: RevocationCall,
  details: Readonly<Record<string, unknown>>,
): AuditEntry {
  const content = hashSha256(JSON.stringify([details.removes ?? correlationId])).slice(0, 16);
  const id = `${action}/${revocation}/${reason}/${content}`;
  return {
    id,
    action,
    reason,
    resource,
    caller,
    correlationId,
    details: { why, ticket, revocation: { id: revocation }, ...details },
  };
}
