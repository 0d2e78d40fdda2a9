import { describeFailure } from '../../azure/failure.ts';
import { commandOr } from '../../azure/shell-command.ts';
import { CmkError } from '../../errors.ts';
import { grantAccess } from '../../identities/grant-access.ts';
import { missingPermissions } from '../../identities/key-access.ts';
import {
  CRYPTO_OFFICER,
  ENCRYPTION_USER,
  type KeyRole,
  roleNameIn,
  STORAGE_PERMISSIONS,
} from '../../identities/key-roles.ts';
import { whyUntold } from '../../identities/local-access.ts';
import { LocalAccessReader } from '../../identities/local-access-reader.ts';
import { lackingActions } from '../../identities/role-grant.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import type { Change } from '../journal.ts';
import { checkName } from '../names.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { managed, resourceId, VAULT_TYPE } from '../resolve.ts';
import { patiently } from '../wait-for-propagation.ts';

/** Longest wait for a role to take effect, in seconds (Azure RBAC: up to ten minutes). */
export const PROPAGATION_SECONDS = 600;

/** Who is given a role. */
export interface Grantee {
  readonly principalId: string;
  readonly principalType: 'User' | 'ServicePrincipal';
  /** To be shown to people. */
  readonly name: string;
}

/**
 * Assigns a role on a vault or a Managed HSM, or on one key of it, unless the principal has a role as good. One that may come
 * from a group of a Managed HSM is assigned all the same, so as to be certain.
 *
 * @param key name of the key that the role is to be confined to
 */
export async function ensureRole(
  role: KeyRole,
  grantee: Grantee,
  vault: Vault,
  key: string | undefined,
  operation: Operation,
): Promise<void> {
  const { journal } = operation;
  // It becomes a part of a path: `..` would be another place.
  if (key !== undefined) checkName('key', key);
  if (vault.accessModel === 'accessPolicies' && role !== ENCRYPTION_USER) {
    journal.note(
      `${vault.name} has access policies: give yourself key permissions with \`az keyvault set-policy --name ${vault.name} --object-id ${grantee.principalId} --key-permissions all\`, if you lack them.`,
    );
    return;
  }
  const { has } = await lookForRole(role, grantee, vault, key, operation);
  if (has === true) journal.found(foundText(role, grantee.name, vault, key));
  else await give(role, grantee, vault, key, operation);
}

/** What {@link ensureRole} would do for an identity that is not there yet. */
export function planStorageRole(
  { id, name }: { readonly id: string; readonly name: string },
  vault: Vault,
  key: string | undefined,
  { journal }: Operation,
): void {
  journal.planned(changeOf(ENCRYPTION_USER, { principalId: id, name }, vault, key));
}

function placeOf({ name, accessModel }: Vault, key: string | undefined): string {
  if (key !== undefined) return `key ${name}/${key}`;
  return accessModel === 'local' ? `the keys of Managed HSM ${name}` : `vault ${name}`;
}

const policyText = (name: string, vault: Vault): string =>
  `access policy of ${vault.name} lets ${name} get, wrap and unwrap`;

function foundText(role: KeyRole, name: string, vault: Vault, key: string | undefined): string {
  return vault.accessModel === 'accessPolicies'
    ? `an ${policyText(name, vault)}`
    : `${name} has what ${roleNameIn(role, vault)} allows on ${placeOf(vault, key)}`;
}

function changeOf(
  role: KeyRole,
  { principalId: to, name }: Omit<Grantee, 'principalType'>,
  vault: Vault,
  key: string | undefined,
): Change {
  if (vault.accessModel === 'accessPolicies') {
    return { text: policyText(name, vault), action: 'policy.add', resource: vault.id, to };
  }
  const text = `${roleNameIn(role, vault)} given to ${name} on ${placeOf(vault, key)}`;
  return { text, action: 'role.assign', resource: key === undefined ? vault.id : `${vault.id}/keys/${key}`, to };
}

/** Who may not look finds out by trying. */
async function lookForRole(
  role: KeyRole,
  { principalId }: Grantee,
  vault: Vault,
  key: string | undefined,
  { azure, journal }: Operation,
): Promise<{ readonly has: boolean | 'unknown'; readonly why?: string }> {
  if (vault.accessModel === 'accessPolicies') {
    return { has: missingPermissions(principalId, vault.policies).length === 0 };
  }
  if (vault.accessModel === 'local') {
    const reader = new LocalAccessReader(managed(vault, azure.cloud), azure, undefined);
    const access = key === undefined ? await reader.ofAllKeys() : await reader.ofKey(key);
    const scope = key === undefined ? '/keys' : `/keys/${key}`;
    const lacking = lackingActions(role.local.dataActions, principalId, scope, access.grants);
    if (lacking.length === 0) return { has: true };
    const why = key === undefined ? undefined : whyUntold(lacking, key, access);
    return why === undefined ? { has: false } : { has: 'unknown', why };
  }
  const scope = key === undefined ? vault.id : `${vault.id}/keys/${key}`;
  try {
    const grants = await azure.authorization.grantsTo(principalId, scope);
    return { has: lackingActions(role.dataActions, principalId, scope, grants).length === 0 };
  } catch (error) {
    if (describeFailure(error).kind !== 'forbidden') throw error;
    journal.note(`Your sign-in may not list the role assignments at ${scope}.`);
    return { has: false };
  }
}

async function give(
  role: KeyRole,
  grantee: Grantee,
  vault: Vault,
  key: string | undefined,
  { azure, journal }: Operation,
): Promise<void> {
  const change = changeOf(role, grantee, vault, key);
  try {
    await journal.change(change, () => write(role, grantee, vault, key, azure));
  } catch (error) {
    if (describeFailure(error).kind !== 'forbidden') throw error;
    const { principalId, principalType } = grantee;
    const isLocal = vault.accessModel === 'local';
    const own = managed(vault, azure.cloud);
    const command = grantAccess(principalId, own, vault.accessModel, { role, key, principalType });
    const who = isLocal ? 'a Managed HSM Policy Administrator' : 'an Owner or User Access Administrator';
    const otherwise = `give ${principalId} the role ${roleNameIn(role, vault)}`;
    throw new CmkError(
      'MissingPermission',
      isLocal
        ? `Your sign-in may not give local roles on ${placeOf(vault, key)}; roles in Azure count for nothing there.`
        : `Your sign-in may not give access to ${placeOf(vault, key)}.`,
      `Ask ${who} of ${vault.name}: ${command === undefined ? otherwise : commandOr(command, otherwise)}`,
      { cause: error },
    );
  }
}

async function write(
  role: KeyRole,
  { principalId, principalType }: Grantee,
  vault: Vault,
  key: string | undefined,
  { vaults, roles, localRoles, cloud }: Azure,
): Promise<void> {
  if (vault.accessModel === 'accessPolicies') {
    const id = resourceId(vault.subscriptionId, vault.resourceGroup, VAULT_TYPE, vault.name);
    await vaults.addPolicy(id, vault.tenantId, principalId, STORAGE_PERMISSIONS);
  } else if (vault.accessModel === 'local') {
    const scope = key === undefined ? '/keys' : (`/keys/${key}` as const);
    await localRoles.give(managed(vault, cloud), scope, principalId, role.local.id);
  } else {
    const scope = key === undefined ? vault.id : `${vault.id}/keys/${key}`;
    await roles.create({ role, scope, principalId, principalType });
  }
}

/**
 * Makes sure that the operator may manage keys: assigns Key Vault Crypto Officer, or Managed HSM Crypto User, and waits until
 * the role has propagated. Where a group of a Managed HSM may grant it, no role is assigned: the HSM rejects what the operator
 * may not do.
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
  const grantee: Grantee = { principalId: objectId, principalType: kind, name };
  const changedBefore = journal.entries.length;
  const inHsm =
    vault.accessModel === 'local' ? await lookForRole(CRYPTO_OFFICER, grantee, vault, key.name, operation) : undefined;
  if (inHsm?.has === true) journal.found(foundText(CRYPTO_OFFICER, name, vault, key.name));
  else if (inHsm?.has === 'unknown') {
    journal.note(`Whether ${name} may manage keys of ${vault.name} is not known. ${inHsm.why}`);
  } else await ensureRole(CRYPTO_OFFICER, grantee, vault, undefined, operation);
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
