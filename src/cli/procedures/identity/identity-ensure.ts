import type { Change } from '../../../audit/journal.ts';
import { describeFailure } from '../../../azure/failure.ts';
import { renderCommandOr } from '../../../azure/shell-command.ts';
import { CmkError } from '../../../errors/errors.ts';
import { createAccessReader } from '../../../identities/check-key-access.ts';
import { grantAccess } from '../../../identities/grant-access.ts';
import type { ManagedIdentity } from '../../../identities/identity-client.ts';
import { listMissingRights, type MissingRights } from '../../../identities/key-access.ts';
import {
  CRYPTO_OFFICER,
  ENCRYPTION_USER,
  getRoleName,
  type KeyRole,
  STORAGE_PERMISSIONS,
} from '../../../identities/key-roles.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import type { Vault } from '../../../vaults/vault-client.ts';
import { checkName } from '../names.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { IDENTITY_TYPE, lookUpIdentity, resolvePlace, toManagedVault, type Where } from '../resolve.ts';
import { retryPatiently } from '../wait-for-propagation.ts';

/** Longest wait for a role to take effect, in seconds (Azure RBAC: up to ten minutes). */
export const PROPAGATION_SECONDS = 600;

/** The principal that receives a role. */
export interface Grantee {
  readonly principalId: string;
  readonly principalType: 'User' | 'ServicePrincipal';
  /** For display. */
  readonly name: string;
}

/** A role on a vault or a Managed HSM, or on one key of it. */
interface WantedRole {
  readonly role: KeyRole;
  readonly grantee: Grantee;
  readonly vault: Vault;
  /** Name of the key to which the role is limited; undefined: all keys. */
  readonly key: string | undefined;
}

/**
 * Assigns a role, unless the principal has an equivalent role. In a Managed HSM a group may grant the role unseen, so
 * it is assigned anyway.
 */
export async function ensureRole(wanted: WantedRole, operation: Operation): Promise<void> {
  const { role, grantee, vault, key } = wanted;
  const { journal } = operation;

  // The name becomes part of a path, where `..` would lead to another resource.
  if (key !== undefined) checkName('key', key);

  if (vault.accessModel === 'accessPolicies' && role !== ENCRYPTION_USER) {
    journal.note(
      `${vault.name} has access policies: add the key permissions that you lack to the policy of ${grantee.principalId}. \`az keyvault set-policy\` replaces the permissions that it has.`,
    );
    return;
  }

  const { lacking } = await lackingRights(wanted, operation);
  if (lacking.length > 0) await give(wanted, operation);
  else journal.found(foundText(wanted));
}

function placeOf({ vault: { name, accessModel }, key }: WantedRole): string {
  if (key !== undefined) return `key ${name}/${key}`;
  return accessModel === 'local' ? `the keys of Managed HSM ${name}` : `vault ${name}`;
}

function foundText(wanted: WantedRole): string {
  return `${wanted.grantee.name} has what ${getRoleName(wanted.role, wanted.vault)} allows on ${placeOf(wanted)}`;
}

/** ARM id of the vault or key in the role assignment. */
const scopeOf = ({ vault: { id }, key }: WantedRole): string => (key === undefined ? id : `${id}/keys/${key}`);

export function toVaultChange(wanted: WantedRole): Change {
  const { role, grantee, vault } = wanted;
  const { principalId: to, name } = grantee;
  if (vault.accessModel === 'accessPolicies') {
    const text = `access policy of ${vault.name} lets ${name} get, wrap and unwrap`;
    return { text, action: 'policy.add', resource: vault.id, to };
  }
  const text = `${getRoleName(role, vault)} assigned to ${name} on ${placeOf(wanted)}`;
  return { text, action: 'role.assign', resource: scopeOf(wanted), to };
}

/** Reads the missing rights. If they cannot be read, the assignment itself shows whether the caller may create it. */
async function lackingRights(
  { role, grantee: { principalId }, vault, key }: WantedRole,
  { azure, journal }: Operation,
): Promise<MissingRights> {
  const access = await createAccessReader(toManagedVault(vault, azure.cloud), vault, azure)(principalId, key);
  if (access.model === 'unknown') journal.note(access.why);
  return listMissingRights(principalId, { vaultId: vault.id, name: key }, access, role);
}

async function give(wanted: WantedRole, { azure, journal }: Operation): Promise<void> {
  try {
    await journal.change(toVaultChange(wanted), () => write(wanted, azure));
  } catch (error) {
    if (describeFailure(error).kind !== 'forbidden') throw error;

    const { role, grantee, vault, key } = wanted;
    const { principalId, principalType } = grantee;
    const isLocal = vault.accessModel === 'local';
    const own = toManagedVault(vault, azure.cloud);
    const command = grantAccess(principalId, own, vault.accessModel, { role, key, principalType });
    const who = isLocal ? 'a Managed HSM Policy Administrator' : 'an Owner or User Access Administrator';
    const otherwise = `assign ${principalId} the role ${getRoleName(role, vault)}`;

    throw new CmkError(
      'MissingPermission',
      isLocal
        ? `Your sign-in may not assign local roles on ${placeOf(wanted)}; Azure RBAC roles do not apply there.`
        : `Your sign-in may not grant access to ${placeOf(wanted)}.`,
      `Ask ${who} of ${vault.name}: ${command === undefined ? otherwise : renderCommandOr(command, otherwise)}`,
      { cause: error },
    );
  }
}

async function write(wanted: WantedRole, { vaults, roles, localRoles, cloud }: Azure): Promise<void> {
  const { role, grantee, vault, key } = wanted;
  const { principalId, principalType } = grantee;
  if (vault.accessModel === 'accessPolicies') {
    await vaults.addPolicy(vault, principalId, STORAGE_PERMISSIONS);
  } else if (vault.accessModel === 'local') {
    const scope = key === undefined ? '/keys' : (`/keys/${key}` as const);
    await localRoles.give(toManagedVault(vault, cloud), scope, principalId, role.local.id);
  } else {
    await roles.create({ role, scope: scopeOf(wanted), principalId, principalType });
  }
}

/**
 * Ensures that the operator may manage keys: assigns Key Vault Crypto Officer or Managed HSM Crypto User, and waits
 * until the role takes effect. Assigns no role if a group of a Managed HSM may grant it: the HSM then rejects an
 * unauthorized operator.
 *
 * @param waitSeconds longest wait, in seconds
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
  const wanted = { role: CRYPTO_OFFICER, grantee, vault, key: undefined };
  const ofKey = { ...wanted, key: key.name };
  const changedBefore = journal.entries.length;
  const inHsm = vault.accessModel === 'local' && (await lackingRights(ofKey, operation));
  if (inHsm && inHsm.lacking.length === 0) {
    journal.found(foundText(ofKey));
  } else if (inHsm && inHsm.undetermined !== undefined) {
    journal.note(`It is unknown whether ${name} may manage keys of ${vault.name}. ${inHsm.undetermined}`);
  } else {
    await ensureRole(wanted, operation);
  }

  const given = journal.entries.slice(changedBefore).some((entry) => entry.kind === 'done');

  if (journal.dryRun) return;

  await retryPatiently(
    operation,
    {
      waitingFor: `the role of ${name} to reach ${vault.name}`,
      // Without a new role assignment a longer wait does not help.
      seconds: given ? waitSeconds : Math.min(waitSeconds, 60),
      mayPass: ({ kind }) => kind === 'forbidden',
      nextStep: `Run the same command again in a few minutes. If it fails again, check the role assignments and the firewall of ${vault.name}.`,
    },
    () => azure.keys.listVersions(key),
  );
}

interface IdentityOptions extends Where {
  /** Name or ARM id. */
  readonly name: string;
  /** Needed only to create the identity. */
  readonly location?: string | undefined;
  /** Where to create the identity; undefined: where it is searched. */
  readonly create?: Where | undefined;
}

/** An identity; in a dry run a planned identity has no principal. */
type EnsuredIdentity = Pick<ManagedIdentity, 'id' | 'name'> & { readonly principalId?: string | undefined };

export async function ensureIdentity(wanted: IdentityOptions, { azure, journal }: Operation): Promise<EnsuredIdentity> {
  const found = await lookUpIdentity(wanted.name, azure, wanted);
  if (found) {
    journal.found(`identity ${found.name} (${found.location})`);
    return found;
  }

  const { name, create: place = wanted } = wanted;
  const asked = { ...place, location: wanted.location };
  const { id, location } = await resolvePlace('identity', IDENTITY_TYPE, name, asked, azure);
  const text = `identity ${name} created in ${id.resourceGroup} (${location})`;
  const created = await journal.change({ text, action: 'identity.create', resource: id.id }, () =>
    azure.identities.create(id, location),
  );

  return created ?? { id: id.id, name };
}

/**
 * Assigns an identity the role that Storage needs, on a vault or on one key.
 *
 * @param key limits the role to one key, for a vault that also has other keys
 */
export async function ensureIdentityRole(
  { id, name, principalId }: EnsuredIdentity,
  vault: Vault,
  key: string | undefined,
  operation: Operation,
): Promise<void> {
  const grantee = { principalId: principalId ?? id, principalType: 'ServicePrincipal', name } as const;
  const wanted = { role: ENCRYPTION_USER, grantee, vault, key };

  // Only in a dry run does an identity have no principal.
  if (!principalId) operation.journal.planned(toVaultChange(wanted));
  else await ensureRole(wanted, operation);
}
