import pMap from 'p-map';
import type { AuditFiles } from '../audit/audit-client.ts';
import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { describeError } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { isSameResource } from '../azure/resource-id.ts';
import type { Authorization, RoleAssignments } from '../identities/authorization-client.ts';
import { type KeyGrant, restoreKeyGrant } from '../identities/key-grants.ts';
import { ENCRYPTION_USER } from '../identities/key-roles.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { RevocationCall } from '../revocation/follow-ups.ts';
import { createRoleEntry, type RoleRevocation, readRoleRevocations } from './role-records.ts';

interface RestoreRequest {
  readonly revocation: string;
  /** Object id of the caller. */
  readonly restoredBy: string;
  /** Whether the caller must not be one of the callers who revoked. */
  readonly dualControl: boolean;
}

export type Restorable =
  | { readonly found: RoleRevocation }
  | { readonly refused: 'SecondPersonNeeded' | 'NothingToRestore' | 'AlreadyRestored' }
  | { readonly refused: 'OtherRevocation'; readonly open: RoleRevocation };

/**
 * Finds the revocation that a restore names, and checks dual control.
 *
 * @throws the SDK's error when the trail cannot be read
 */
export async function findRestorable(
  files: AuditFiles,
  key: Pick<ManagedKey, 'id'>,
  { revocation, restoredBy, dualControl }: RestoreRequest,
): Promise<Restorable> {
  const known = await readRoleRevocations(files, key);
  const found = known.find(({ id }) => id.toLowerCase() === revocation.toLowerCase());
  const open = known.findLast(({ isRestored }) => !isRestored);

  // A newer revocation must not be undone by naming an older one.
  if (open && found !== open && found?.isRestored !== false) return { refused: 'OtherRevocation', open };
  if (!found) return { refused: 'NothingToRestore' };
  if (found.isRestored) return { refused: 'AlreadyRestored' };
  if (dualControl && found.revokedBy.has(restoredBy.toLowerCase())) return { refused: 'SecondPersonNeeded' };
  return { found };
}

interface RestoreServices {
  readonly roles: Pick<RoleAssignments, 'create'>;
  readonly authorization: Pick<Authorization, 'grantsAt'>;
  readonly audit: RecordAudit;
}

/**
 * Assigns again what a revocation removed, and nothing else. A repeat assigns what is missing.
 *
 * @returns `missing`: what a new read does not show, with Azure's answer if it rejected the assignment
 * @throws the SDK's error if the roles of the key cannot be read: nothing was changed
 */
export async function restoreRoles(
  key: ManagedKey,
  { id, removes }: Pick<RoleRevocation, 'id' | 'removes'>,
  call: RevocationCall,
  { roles, authorization, audit }: RestoreServices,
) {
  const wanted = listRestored(key, removes);
  const before = await findMissing(key, wanted, authorization);
  const answers = new Map<KeyGrant, string>();

  const restore = async (grant: KeyGrant): Promise<void> => {
    await restoreKeyGrant(grant, { roles }).catch((error: unknown) => answers.set(grant, describeError(error)));
  };
  await pMap(before, restore, { concurrency: CONCURRENCY });

  const left = before.length === 0 ? [] : await findMissing(key, wanted, authorization);
  const missing = left.map((grant) => ({ grant, why: answers.get(grant) ?? 'A new read does not show it.' }));
  const complete = missing.length === 0;
  const reason = complete ? 'RolesRestored' : 'RoleRestoreIncomplete';
  const details = { restored: before.length - missing.length, missing: missing.length };
  const outcome = await audit(createRoleEntry('key.restoreRoles', reason, key, id, call, details), AUDIT_WAIT_MS);

  return {
    complete,
    restored: before.filter((grant) => !left.includes(grant)),
    missing,
    audit: 'failed' in outcome ? outcome.failed : 'written',
  };
}

/** A record restores nothing but roles at the very key and its vault, whatever it contains. */
export function listRestored({ vault, name }: ManagedKey, removes: readonly KeyGrant[]): readonly KeyGrant[] {
  return removes.filter(({ scope }) =>
    [vault.id, `${vault.id}/keys/${name}`].some((place) => isSameResource(scope, place)),
  );
}

/** Azure may know the assignment under another name, so scope, principal and role decide. */
async function findMissing(
  { vault, name }: ManagedKey,
  wanted: readonly KeyGrant[],
  { grantsAt }: Pick<Authorization, 'grantsAt'>,
): Promise<readonly KeyGrant[]> {
  const there = await grantsAt(`${vault.id}/keys/${name}`);
  const names = new Set(
    there.flatMap(({ scope, assignment }) =>
      assignment?.roleId === ENCRYPTION_USER.id ? [`${scope} ${assignment.assignee}`.toLowerCase()] : [],
    ),
  );
  return wanted.filter(({ scope, principalId }) => !names.has(`${scope} ${principalId}`.toLowerCase()));
}
