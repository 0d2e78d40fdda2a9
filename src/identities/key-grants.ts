import { z } from 'zod';
import { parseResourceId, type ResourceId, sameResource } from '../azure/resource-id.ts';
import { CmkError } from '../errors.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { VaultSetup } from '../vaults/vault-client.ts';
import type { Authorization } from './authorization-client.ts';
import { letsUseKeys } from './key-access.ts';
import { ENCRYPTION_USER } from './key-roles.ts';
import type { LocalRoles } from './local-role-client.ts';
import type { RoleAssignments } from './role-assignment-client.ts';
import { covers, placeOfRole, type RoleGrant } from './role-grant.ts';

/** An assignment of "Key Vault Crypto Service Encryption User" on a vault or a key. */
export const ROLE_GRANT = z.object({
  kind: z.literal('role'),
  /** GUID of the assignment. */
  name: z.guid(),
  /** ARM id of the vault or the key. */
  scope: z.string().startsWith('/subscriptions/'),
  principalId: z.guid(),
  description: z.string().optional(),
  condition: z.string().optional(),
  conditionVersion: z.string().optional(),
});

/** An assignment of the local role of Storage's identities in a Managed HSM. Only version 2 removed these. */
export const LOCAL_ROLE_GRANT = z.object({
  kind: z.literal('localRole'),
  name: z.guid(),
  /** URI of the HSM. */
  hsm: z.url({ protocol: /^https$/ }),
  scope: z.union([z.enum(['/', '/keys']), z.templateLiteral(['/keys/', z.string().regex(/^[0-9A-Za-z-]{1,127}$/)])]),
  principalId: z.guid(),
});

/** Key permissions of one principal in an access policy of a vault. */
const POLICY_GRANT = z.object({
  kind: z.literal('policy'),
  /** ARM id. */
  vault: z.string().startsWith('/subscriptions/'),
  tenantId: z.guid(),
  principalId: z.guid(),
  keyPermissions: z.array(z.string()).min(1),
});

/** A grant by which an identity may use keys of a vault, with all that is needed to grant it again. */
export const KEY_GRANT = z.discriminatedUnion('kind', [ROLE_GRANT, LOCAL_ROLE_GRANT, POLICY_GRANT]);
export type KeyGrant = z.output<typeof KEY_GRANT>;

interface KeyGrantServices {
  readonly vaults: Pick<VaultSetup, 'get' | 'addPolicy' | 'clearKeyPermissions'>;
  readonly authorization: Pick<Authorization, 'grantsTo' | 'endsAt'>;
  readonly roles: RoleAssignments;
  readonly localRoles: Pick<LocalRoles, 'give'>;
}

/**
 * Reads every grant by which a principal may use a key of a vault.
 *
 * @throws {@link CmkError} `AccountNotRevocable` when one of them cannot be removed and granted again alone
 */
export async function readKeyGrants(
  principalId: string,
  key: ManagedKey,
  { vaults, authorization }: KeyGrantServices,
): Promise<readonly KeyGrant[]> {
  const { accessModel, policies, tenantId } = await vaults.get(key.vault);
  if (accessModel === 'accessPolicies') {
    const keyPermissions = policies
      .filter(({ objectId }) => objectId.toLowerCase() === principalId.toLowerCase())
      .flatMap((policy) => policy.keyPermissions);
    const grant = { kind: 'policy', vault: key.vault.id, tenantId, principalId, keyPermissions } as const;
    return keyPermissions.length === 0 ? [] : [grant];
  }
  const keyId = `${key.vault.id}/keys/${key.name}`;
  const [grants, ends] = await Promise.all([
    authorization.grantsTo(principalId, keyId),
    // An operator who may not read the ends of roles must still be able to revoke.
    authorization.endsAt(keyId).catch(() => new Map<string, Date>()),
  ]);
  return grants
    .filter((grant) => covers(grant.scope, keyId) && letsUseKeys(grant))
    .flatMap((grant) => toKeyGrant(grant, key, ends) ?? []);
}

function toKeyGrant(
  { id = '', scope, principalId, assignment }: RoleGrant,
  key: ManagedKey,
  ends: ReadonlyMap<string, Date>,
): KeyGrant | undefined {
  if (!assignment) return undefined;
  const { roleId, assignee, ...role } = assignment;
  const end = ends.get(id.toLowerCase());
  const refuse = (why: string): CmkError =>
    new CmkError(
      'AccountNotRevocable',
      `The identity reaches the key ${why}. Nothing was changed.`,
      `Revoke the key ${key.vault.name}/${key.name}, or disable an encryption scope of the account; or remove the access by hand.`,
    );
  if (assignee.toLowerCase() !== principalId.toLowerCase()) {
    throw refuse(`as a member of the group ${assignee} (${id})`);
  }
  if (!sameResource(placeOfRole(scope).vaultId, key.vault.id)) {
    throw refuse(`by a role that is assigned above the vault, at ${scope}`);
  }
  if (roleId !== ENCRYPTION_USER.id) throw refuse(`by another role than "${ENCRYPTION_USER.name}" (${id})`);
  if (end) throw refuse(`by a role that ends on ${end.toISOString()} (${id})`);
  return { kind: 'role', scope, principalId, ...role };
}

/** Idempotent. */
export async function removeKeyGrant(grant: KeyGrant, { vaults, roles }: KeyGrantServices): Promise<void> {
  if (grant.kind === 'role') await roles.remove(grant.scope, grant.name);
  if (grant.kind === 'policy') await vaults.clearKeyPermissions(vaultOf(grant.vault), grant.principalId);
}

/** Grants exactly the same again, a role under its former name. Idempotent. */
export async function restoreKeyGrant(grant: KeyGrant, { vaults, roles, localRoles }: KeyGrantServices): Promise<void> {
  if (grant.kind === 'role') {
    const { kind: _, ...role } = grant;
    await roles.create({ ...role, role: ENCRYPTION_USER, principalType: 'ServicePrincipal' });
  } else if (grant.kind === 'policy') {
    await vaults.addPolicy(vaultOf(grant.vault), grant.tenantId, grant.principalId, grant.keyPermissions);
  } else {
    const { hsm, scope, principalId, name } = grant;
    await localRoles.give({ uri: hsm }, scope, principalId, ENCRYPTION_USER.local.id, name);
  }
}

function vaultOf(id: string): ResourceId {
  const vault = parseResourceId(id);
  if (!vault) throw new TypeError(`${id} is not the ARM id of a vault.`);
  return vault;
}
