import pMap from 'p-map';
import type { AuditFiles } from '../audit/audit-client.ts';
import { BREAK_GLASS_AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { abortAfter } from '../azure/deadline.ts';
import { describeError } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import type { Authorization, RoleAssignments } from '../identities/authorization-client.ts';
import { type KeyGrant, type KeyGrants, readGrantsOfKey } from '../identities/key-grants.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { RevocationCall } from '../revocation/follow-ups.ts';
import type { Vaults } from '../vaults/vault-client.ts';
import type { RolePlan } from './plan-roles.ts';
import {
  createRoleEntry,
  type RoleReason,
  type RoleRevocation,
  readRoleRevocations,
  splitForRecords,
} from './role-records.ts';

export interface RoleRevocationServices {
  readonly vaults: Vaults;
  readonly authorization: Pick<Authorization, keyof Authorization>;
  readonly roles: RoleAssignments;
  readonly audit: RecordAudit;
  readonly newId: () => string;
}

/** Longest read of the trail, in milliseconds. */
const TRAIL_MS = 15_000;

/** The newest revocation of a key by roles that no restore ended; undefined: none. */
export async function findOpenByRoles(
  files: AuditFiles,
  key: Pick<ManagedKey, 'id'>,
): Promise<RoleRevocation | undefined> {
  const known = await abortAfter((signal) => readRoleRevocations(files, key, signal), TRAIL_MS);
  return known.findLast(({ isRestored }) => !isRestored);
}

export interface RevokedRoles {
  readonly revocation: string;
  readonly removed: readonly KeyGrant[];
  /** Removals that Azure rejected, with its answer. */
  readonly failed: readonly { readonly grant: KeyGrant; readonly why: string }[];
  /** What reaches the key after the removal; undefined: it could not be read. */
  readonly left: KeyGrants | undefined;
  readonly complete: boolean;
  /** `written`, or why the trail lacks a record. */
  readonly audit: string;
  /** Assignments that no record has: a restore does not know them. */
  readonly unrecorded: readonly KeyGrant[];
}

/**
 * Removes the roles by which encryption identities reach a key. Each is recorded before it is removed; a trail that
 * cannot be written does not stop the revocation. A repeat continues the open revocation under its id.
 *
 * @param open the open revocation; undefined: this is a new one
 */
export async function revokeRoles(
  key: ManagedKey,
  { removable, userIds, unread }: Pick<RolePlan, 'removable' | 'userIds' | 'unread'>,
  open: Pick<RoleRevocation, 'id'> | undefined,
  call: RevocationCall,
  services: RoleRevocationServices,
): Promise<RevokedRoles> {
  const revocation = open?.id ?? services.newId();
  const problems: string[] = [];
  const unrecorded: KeyGrant[] = [];
  const removed: KeyGrant[] = [];
  const failed: { grant: KeyGrant; why: string }[] = [];

  const record = async (reason: RoleReason, details: Readonly<Record<string, unknown>>): Promise<boolean> => {
    const entry = createRoleEntry('key.revokeRoles', reason, key, revocation, call, details);
    const outcome = await services.audit(entry, BREAK_GLASS_AUDIT_WAIT_MS);
    if ('failed' in outcome) problems.push(outcome.failed);
    return 'written' in outcome;
  };

  for (const part of splitForRecords(removable)) {
    const isWritten = await record('RoleRevocationBegun', { removes: part });
    if (!isWritten) unrecorded.push(...part);
  }

  const remove = async (grant: KeyGrant): Promise<void> => {
    try {
      await services.roles.remove(grant.scope, grant.name);
      removed.push(grant);
    } catch (error) {
      failed.push({ grant, why: describeError(error) });
    }
  };
  await pMap(removable, remove, { concurrency: CONCURRENCY });

  const left = await readGrantsOfKey(key, userIds, services).catch(() => undefined);
  const isGone = left !== undefined && left.removable.length === 0 && left.standing.length === 0;
  const complete = isGone && unread.length === 0;

  await record(complete ? 'RolesRevoked' : 'RoleRevocationIncomplete', {
    removed: removed.length,
    failed: failed.length,
    standing: left?.standing.map(({ how }) => how).slice(0, 20),
    unread: unread.slice(0, 20),
  });

  return { revocation, removed, failed, left, complete, audit: problems[0] ?? 'written', unrecorded };
}
