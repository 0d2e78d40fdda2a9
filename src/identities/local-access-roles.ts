import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { LocalScope, TakenLocalRole } from '../revocation/account-record.ts';
import { RECORDED_TAKEN } from '../work/taken.ts';
import { type AccessRoles, isSamePrincipal, notRevocable } from './access-roles.ts';
import { ENCRYPTION_USER } from './key-roles.ts';
import { whyUntold } from './local-access.ts';
import { LocalAccessReader, type LocalAccessServices } from './local-access-reader.ts';
import type { LocalGrant, LocalRoles } from './local-role-client.ts';
import { allows, covers } from './role-grant.ts';

export interface LocalRoleServices extends LocalAccessServices {
  readonly localRoles: LocalRoles;
}

const ROLE = ENCRYPTION_USER.local;

/** Assignments of "Managed HSM Crypto Service Encryption User" at a Managed HSM, at all its keys, or at one. */
export function localAccessRoles(key: ManagedKey, services: LocalRoleServices): AccessRoles<TakenLocalRole> {
  const { vault: hsm } = key;
  const { localRoles } = services;
  // Whether a name is of one scope, or of the whole HSM, is not documented: what is at another place is another assignment.
  const isRoleOf = (
    one: Pick<LocalGrant, 'roleId' | 'principalId' | 'scope'> | undefined,
    { principalId, scope }: Pick<TakenLocalRole, 'principalId' | 'scope'>,
  ): boolean =>
    one?.roleId === ROLE.id &&
    isSamePrincipal(one.principalId, principalId) &&
    one.scope.toLowerCase() === scope.toLowerCase();
  return {
    rights: `It takes Microsoft.KeyVault/managedHsm/roleAssignments/delete/action and /write/action at the scope of the role, by a local role of ${hsm.name} that the app has on request alone (docs/managed-hsm.md). Or run \`cmk account revoke\` on a sign-in that has it.`,
    heldBy: (principalId) => rolesHeld(principalId, key, localRoles),
    async doubt() {
      const whole: LocalAccessServices['localRoles'] = {
        grantsAt: (of, scope, signal) => localRoles.grantsAt(of, scope, signal, { mustBeThere: true }),
      };
      const access = await new LocalAccessReader(hsm, { ...services, localRoles: whole }, undefined).ofKey(key.name);
      const untold = ROLE.dataActions
        .filter((action) => /wrap/.test(action))
        .map((action) => whyUntold([action], key.name, access));
      return untold.find((why) => why !== undefined);
    },
    isHere: (taken): taken is TakenLocalRole =>
      taken.kind === 'localRole' && taken.hsm.toLowerCase() === hsm.uri.toLowerCase(),
    async find(taken) {
      const found = await localRoles.find(hsm, taken.scope, taken.name);
      // When it was made the HSM does not say.
      return isRoleOf(found, taken) ? { changedOn: undefined } : undefined;
    },
    async isAssigned(taken) {
      const grants = await localRoles.grantsAt(hsm, taken.scope);
      return grants.some((one) => isRoleOf(one, taken));
    },
    remove: ({ scope, name }) => localRoles.remove(hsm, scope, name),
    giveBack: ({ scope, name, principalId }) => localRoles.give(hsm, scope, principalId, ROLE.id, name),
  };
}

async function rolesHeld(
  principalId: string,
  key: ManagedKey,
  localRoles: Pick<LocalRoles, 'grantsAt'>,
): Promise<TakenLocalRole[]> {
  const keyScope: LocalScope = `/keys/${key.name}`;
  const scopes: readonly LocalScope[] = ['/', '/keys', keyScope];
  const lists = await Promise.all(
    scopes.map((scope) => localRoles.grantsAt(key.vault, scope, undefined, { anew: true })),
  );
  // The list at `/` shows what is assigned at `/keys` too. Whether one name may stand at two scopes is not documented.
  const all = new Map(lists.flat().map((one) => [`${one.scope}/${one.name}`.toLowerCase(), one]));
  return [...all.values()]
    .filter((one) => isSamePrincipal(one.principalId, principalId) && covers(one.scope, keyScope))
    .filter((one) => ROLE.dataActions.some((action) => allows(one, action)))
    .map((one) => toTaken(one, key));
}

/** @throws {@link CmkError} `AccountNotRevocable` */
function toTaken({ name, roleId, scope, principalId }: LocalGrant, key: ManagedKey): TakenLocalRole {
  if (roleId !== ROLE.id) throw notRevocable(`It reaches the key by another role than "${ROLE.name}" (${name}).`, key);
  const { data } = RECORDED_TAKEN.safeParse({ kind: 'localRole', name, hsm: key.vault.uri, scope, principalId });
  if (data?.kind === 'localRole') return data;
  throw notRevocable(`It reaches the key by an assignment that no record could give back (${name} at ${scope}).`, key);
}
