import { describeFailure } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import { CRYPTO_OFFICER, ENCRYPTION_USER, type KeyRole } from '../../identities/key-roles.ts';
import { allows, covers } from '../../identities/role-grant.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import { checkName } from '../names.ts';
import type { Operation } from '../operator-azure.ts';
import { resourceId, VAULT_TYPE } from '../resolve.ts';
import { patiently } from '../wait-for-propagation.ts';
import { ensureLocalOfficer, ensureLocalRole, type Grantee } from './local-role-ensure.ts';

/** Longest wait for a role to take effect, in seconds (Azure RBAC: up to ten minutes). */
export const PROPAGATION_SECONDS = 600;

/**
 * Assigns a role on a vault, or on one key of it, unless the principal has a role as good.
 *
 * @param key name of the key that the role is to be confined to
 */
export async function ensureRole(
  role: KeyRole,
  grantee: Grantee,
  vault: Vault,
  key: string | undefined,
  { azure, journal }: Operation,
): Promise<void> {
  // It becomes a part of a path: `..` would be another place.
  if (key !== undefined) checkName('key', key);
  const scope = key === undefined ? vault.id : `${vault.id}/keys/${key}`;
  const where = key === undefined ? `vault ${vault.name}` : `key ${vault.name}/${key}`;
  if (vault.accessModel === 'local') return ensureLocalRole(role, grantee, vault, key, { azure, journal });
  if (vault.accessModel !== 'rbac') return ensurePolicy(role, grantee, vault, { azure, journal });
  if (await hasRole(role, grantee, scope, { azure, journal })) {
    journal.found(`${grantee.name} has what ${role.name} allows on ${where}`);
    return;
  }
  try {
    const text = `${role.name} given to ${grantee.name} on ${where}`;
    const { principalId, principalType } = grantee;
    await journal.change({ text, action: 'role.assign', resource: scope, to: principalId }, () =>
      azure.roles.create({ role, scope, principalId, principalType, subscriptionId: vault.subscriptionId }),
    );
  } catch (error) {
    if (describeFailure(error).kind !== 'forbidden') throw error;
    throw new CmkError(
      'MissingPermission',
      `Your sign-in may not give roles on ${where}.`,
      `Ask an Owner or User Access Administrator of ${vault.name} to run: az role assignment create --assignee-object-id ${grantee.principalId} --assignee-principal-type ${grantee.principalType} --role "${role.name}" --scope ${scope}`,
      { cause: error },
    );
  }
}

/** Whether some role there, or above, allows all that the role does. Who may not look finds out by trying. */
async function hasRole(
  role: KeyRole,
  grantee: Grantee,
  scope: string,
  { azure, journal }: Operation,
): Promise<boolean> {
  try {
    const grants = await azure.authorization.grantsTo(grantee.principalId, scope);
    const applying = grants.filter((grant) => !grant.conditional && covers(grant.scope, scope));
    return role.dataActions.every((action) => applying.some((grant) => allows(grant, action)));
  } catch (error) {
    if (describeFailure(error).kind !== 'forbidden') throw error;
    journal.note(`Your sign-in may not list the role assignments at ${scope}.`);
    return false;
  }
}

/** In a vault with access policies a role is of no use; what Storage needs can be given as a policy. */
async function ensurePolicy(
  role: KeyRole,
  grantee: Grantee,
  vault: Vault,
  { azure, journal }: Operation,
): Promise<void> {
  if (role !== ENCRYPTION_USER) {
    journal.note(
      `${vault.name} has access policies: give yourself key permissions with \`az keyvault set-policy --name ${vault.name} --object-id ${grantee.principalId} --key-permissions all\`, if you lack them.`,
    );
    return;
  }
  const allowed = vault.policies
    .filter(({ objectId }) => objectId.toLowerCase() === grantee.principalId.toLowerCase())
    .flatMap(({ keyPermissions }) => keyPermissions.map((permission) => permission.toLowerCase()));
  if (allowed.includes('all') || ['get', 'wrapkey', 'unwrapkey'].every((needed) => allowed.includes(needed))) {
    journal.found(`an access policy of ${vault.name} lets ${grantee.name} get, wrap and unwrap`);
    return;
  }
  const id = resourceId(vault.subscriptionId, vault.resourceGroup, VAULT_TYPE, vault.name);
  const text = `access policy of ${vault.name} lets ${grantee.name} get, wrap and unwrap`;
  await journal.change({ text, action: 'policy.add', resource: vault.id, to: grantee.principalId }, () =>
    azure.vaults.addPolicy(id, vault.tenantId, grantee.principalId),
  );
}

/**
 * Makes sure that the operator may manage keys: assigns Key Vault Crypto Officer, or Managed HSM Crypto User, and waits until
 * the role has propagated.
 *
 * @param waitSeconds how long to wait at most
 */
export async function ensureOfficer(
  vault: Vault,
  key: ManagedKey,
  waitSeconds: number,
  operation: Operation,
): Promise<void> {
  const { azure, journal } = operation;
  const { objectId, kind, name } = await azure.operator();
  const changedBefore = journal.entries.length;
  if (vault.accessModel === 'local') await ensureLocalOfficer(vault, key, operation);
  else
    await ensureRole(CRYPTO_OFFICER, { principalId: objectId, principalType: kind, name }, vault, undefined, operation);
  const given = journal.entries.slice(changedBefore).some((entry) => entry.kind === 'done');
  if (journal.dryRun) return;
  await patiently(
    operation,
    {
      waitingFor: `the role of ${name} to reach ${vault.name}`,
      // Without a role just given, a refusal is final.
      seconds: given ? waitSeconds : Math.min(waitSeconds, 60),
      mayPass: ({ kind }) => kind === 'forbidden',
      nextStep: `Run the same command again in some minutes. If it stays, look at the role assignments and the firewall of ${vault.name}.`,
    },
    () => azure.keys.listVersions(key),
  );
}
