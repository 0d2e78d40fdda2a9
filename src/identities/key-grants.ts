import { z } from 'zod';
import { sameResource } from '../azure/resource-id.ts';
import { CmkError } from '../errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Vaults } from '../vaults/vault-client.ts';
import type { Authorization, RoleAssignments } from './authorization-client.ts';
import { letsUseKeys } from './key-access.ts';
import { ENCRYPTION_USER } from './key-roles.ts';
import type { LocalRoles } from './local-role-client.ts';
import { covers, type RoleGrant, vaultOfRole } from './role-grant.ts';

/** An assignment of "Key Vault Crypto Service Encryption User" on a vault or a key. */
const ROLE_GRANT = z.object({
  kind: z.literal('role'),
  name: z.guid(),
  scope: z.string().startsWith('/subscriptions/'),
  principalId: z.guid(),
  description: z.string().optional(),
  condition: z.string().optional(),
  conditionVersion: z.string().optional(),
});
type RoleKeyGrant = z.output<typeof ROLE_GRANT>;

/**
 * An assignment of the local role "Managed HSM Crypto Service Encryption User". Only version 2 removed such
 * assignments.
 */
const LOCAL_ROLE_GRANT = z.object({
  kind: z.literal('localRole'),
  name: z.guid(),
  hsm: z.url({ protocol: /^https$/ }),
  scope: z.union([z.enum(['/', '/keys']), z.templateLiteral(['/keys/', z.string().regex(/^[0-9A-Za-z-]{1,127}$/)])]),
  principalId: z.guid(),
});

/** A grant that lets an identity use keys of a vault, with all fields needed to restore it. */
export const KEY_GRANT = z.discriminatedUnion('kind', [ROLE_GRANT, LOCAL_ROLE_GRANT]);
export type KeyGrant = z.output<typeof KEY_GRANT>;

/**
 * Reads every role assignment that lets a principal use a key of a vault.
 *
 * @throws {@link CmkError} `AccountNotRevocable` if a single assignment cannot be removed and restored on its own
 */
export async function readKeyGrants(
  principalId: string,
  key: ManagedKey,
  { vaults, authorization }: { readonly vaults: Vaults; readonly authorization: Authorization },
): Promise<readonly RoleKeyGrant[]> {
  if ((await vaults.get(key.vault)).accessModel !== 'rbac') throw notRevocable(key, 'by an access policy of the vault');
  const keyId = `${key.vault.id}/keys/${key.name}`;
  const [grants, ends] = await Promise.all([
    authorization.grantsTo(principalId, keyId),
    // An operator without the right to read when roles end must still be able to revoke.
    authorization.endsAt(keyId).catch(() => new Map<string, Date>()),
  ]);
  return grants
    .filter((grant) => covers(grant.scope, keyId) && letsUseKeys(grant))
    .flatMap((grant) => toKeyGrant(grant, key, ends.get((grant.id ?? '').toLowerCase())) ?? []);
}

function toKeyGrant(
  { id, scope, principalId, assignment }: RoleGrant,
  key: ManagedKey,
  end: Date | undefined,
): RoleKeyGrant | undefined {
  if (!assignment) return undefined;
  const { roleId, assignee, ...role } = assignment;
  if (assignee.toLowerCase() !== principalId.toLowerCase()) {
    throw notRevocable(key, `as a member of the group ${assignee} (${id})`);
  }
  if (!sameResource(vaultOfRole(scope), key.vault.id)) {
    throw notRevocable(key, `by a role that is assigned above the vault, at ${scope}`);
  }
  if (roleId !== ENCRYPTION_USER.id) throw notRevocable(key, `by a role other than "${ENCRYPTION_USER.name}" (${id})`);
  if (end) throw notRevocable(key, `by a role that ends on ${end.toISOString()} (${id})`);
  return { kind: 'role', scope, principalId, ...role };
}

function notRevocable({ vault, name }: ManagedKey, why: string): CmkError {
  return new CmkError(
    'AccountNotRevocable',
    `The identity reaches the key ${why}. Nothing was changed.`,
    `Revoke the key ${vault.name}/${name}, disable an encryption scope of the account, or remove the access manually.`,
  );
}

/** Creates the removed assignment again, under the same name. Idempotent. */
export async function restoreKeyGrant(
  grant: KeyGrant,
  { roles, localRoles }: { readonly roles: RoleAssignments; readonly localRoles: LocalRoles },
): Promise<void> {
  if (grant.kind === 'role') {
    const { kind: _, ...role } = grant;
    await roles.create({ ...role, role: ENCRYPTION_USER, principalType: 'ServicePrincipal' });
  } else {
    const { hsm, scope, principalId, name } = grant;
    await localRoles.give({ uri: hsm }, scope, principalId, ENCRYPTION_USER.local.id, name);
  }
}
