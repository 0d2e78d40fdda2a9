import { describeFailure } from '../../azure/failure.ts';
import { NO_COMMAND } from '../../azure/shell-command.ts';
import { CmkError } from '../../errors.ts';
import { CRYPTO_OFFICER, type KeyRole } from '../../identities/key-roles.ts';
import { whyUntold } from '../../identities/local-access.ts';
import { LocalAccessReader } from '../../identities/local-access-reader.ts';
import type { LocalScope } from '../../identities/local-role-client.ts';
import { allows, covers } from '../../identities/role-grant.ts';
import { parseVault } from '../../keys/key-identifier.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import { grantLocalRole } from '../../vaults/vault-commands.ts';
import type { Operation } from '../operator-azure.ts';

/** Who is given a role. */
export interface Grantee {
  readonly principalId: string;
  readonly principalType: 'User' | 'ServicePrincipal';
  /** To be shown to people. */
  readonly name: string;
}

/**
 * Assigns a local role of a Managed HSM to a principal, on all its keys or on one, unless the principal has a role as good.
 * A role that may come from a group is assigned all the same, so as to be certain.
 */
export async function ensureLocalRole(
  role: KeyRole,
  grantee: Grantee,
  hsm: Vault,
  key: string | undefined,
  operation: Operation,
): Promise<void> {
  const { journal } = operation;
  const { has } = await lookForRole(role, grantee, hsm, key, operation);
  if (has === true) {
    journal.found(`${grantee.name} has what ${role.local.name} allows on ${placeInHsm(hsm, key)}`);
    return;
  }
  await give(role, grantee, hsm, key, operation);
}

/**
 * Makes sure, as far as it can be read, that the operator may manage the keys of a Managed HSM. Where a group may grant it,
 * no role is assigned: the HSM rejects what the operator may not do.
 */
export async function ensureLocalOfficer(hsm: Vault, key: ManagedKey, operation: Operation): Promise<void> {
  const { azure, journal } = operation;
  const { objectId, kind, name } = await azure.operator();
  const grantee: Grantee = { principalId: objectId, principalType: kind, name };
  const role = CRYPTO_OFFICER;
  const { has, why } = await lookForRole(role, grantee, hsm, key.name, operation);
  if (has === true) journal.found(`${name} has what ${role.local.name} allows on ${placeInHsm(hsm, key.name)}`);
  else if (has === false) await give(role, grantee, hsm, undefined, operation);
  else journal.note(`Whether ${name} may manage keys of ${hsm.name} is not known. ${why}`);
}

export function placeInHsm({ name }: Pick<Vault, 'name'>, key: string | undefined): string {
  return key === undefined ? `the keys of Managed HSM ${name}` : `key ${name}/${key}`;
}

async function lookForRole(
  role: KeyRole,
  { principalId }: Grantee,
  hsm: Vault,
  key: string | undefined,
  { azure }: Operation,
): Promise<{ readonly has: boolean | 'unknown'; readonly why?: string }> {
  const reader = new LocalAccessReader(placed(hsm), azure, undefined);
  const access = key === undefined ? await reader.ofAllKeys() : await reader.ofKey(key);
  const scope = key === undefined ? '/keys' : `/keys/${key}`;
  const own = access.grants.filter(
    (grant) => grant.principalId.toLowerCase() === principalId.toLowerCase() && covers(grant.scope, scope),
  );
  const lacking = role.local.dataActions.filter((action) => !own.some((grant) => allows(grant, action)));
  if (lacking.length === 0) return { has: true };
  const why = key === undefined ? undefined : whyUntold(lacking, key, access);
  return why === undefined ? { has: false } : { has: 'unknown', why };
}

async function give(
  role: KeyRole,
  { principalId, principalType, name }: Grantee,
  hsm: Vault,
  key: string | undefined,
  { azure, journal }: Operation,
): Promise<void> {
  const scope: LocalScope = key === undefined ? '/keys' : `/keys/${key}`;
  const text = `${role.local.name} given to ${name} on ${placeInHsm(hsm, key)}`;
  const resource = key === undefined ? hsm.id : `${hsm.id}/keys/${key}`;
  try {
    await journal.change({ text, action: 'role.assign', resource, to: principalId }, () =>
      azure.localRoles.give(placed(hsm), scope, principalId, role.local.id),
    );
  } catch (error) {
    if (describeFailure(error).kind !== 'forbidden') throw error;
    const command = grantLocalRole(role.local.name, principalId, hsm.name, key, principalType);
    const act = command === NO_COMMAND ? `give ${principalId} the role ${role.local.name}` : `run: ${command}`;
    throw new CmkError(
      'MissingPermission',
      `Your sign-in may not give local roles on ${placeInHsm(hsm, key)}; roles in Azure count for nothing there.`,
      `Ask a Managed HSM Policy Administrator of ${hsm.name} to ${act}`,
      { cause: error },
    );
  }
}

/** Azure writes its URI with a slash at the end. */
function placed(hsm: Vault): Vault {
  return { ...hsm, uri: parseVault(hsm.uri)?.vaultUri ?? hsm.uri };
}
