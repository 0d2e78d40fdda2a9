import { readOnce } from '../azure/read-once.ts';
import { getKnown, listUnread, readPart } from '../azure/read-or-why.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import type { LocalAccess } from './key-access.ts';
import type { LocalRoles, LocalScope } from './local-role-client.ts';
import type { Principals } from './principal-client.ts';
import type { RoleGrant } from './role-grant.ts';

export interface LocalAccessServices {
  readonly localRoles: { grantsAt(...of: Parameters<LocalRoles['grantsAt']>): Promise<readonly RoleGrant[]> };
  readonly principals: Principals;
}

/** Reads without which it is unknown whether a principal may use a key. */
export const LOCAL_ROLES_READ = {
  what: 'the local roles of the Managed HSM',
  action: 'Microsoft.KeyVault/managedHsm/roleAssignments/read/action',
};
export const GROUP_ROLES_READ = {
  what: 'the roles that identities have through groups',
  action: 'Microsoft.Authorization/roleAssignments/read',
};

/**
 * Reads which principals may use the keys of one Managed HSM, each list once. Never throws: the result names the parts
 * that cannot be read.
 */
export function createLocalAccessReader(
  hsm: ManagedVault,
  services: LocalAccessServices,
  signal: AbortSignal | undefined,
) {
  const lists = readOnce((scope: LocalScope) =>
    readPart({ resource: hsm.id, ...LOCAL_ROLES_READ }, () => services.localRoles.grantsAt(hsm, scope, signal)),
  );

  // Most keys of an HSM have the same holders.
  const noGroups = readOnce((holders: readonly string[]) =>
    readPart({ resource: hsm.id, ...GROUP_ROLES_READ }, () =>
      services.principals.noGroups(new Set(holders), hsm.id, signal),
    ),
  );

  const read = async (...scopes: LocalScope[]): Promise<LocalAccess> => {
    const found = await Promise.all(scopes.map((scope) => lists.get(scope)));
    const [unread] = listUnread(found);
    return { model: 'local', grants: found.flatMap((one) => getKnown(one) ?? []), unread, noGroups: new Set() };
  };

  return {
    /**
     * Reads no roles on single keys: roles on all keys suffice for most principals. Without them, only `ofKey` shows
     * whether a principal may use a key.
     */
    ofAllKeys: () => read('/', '/keys'),
    async ofKey(name: string): Promise<LocalAccess> {
      // If these lists fail, as in an HSM that does not respond, the list of each key would fail too.
      const all = await read('/', '/keys');
      if (all.unread) return all;
      const access = await read('/', '/keys', `/keys/${name}`);
      if (access.unread) return access;
      const holders = new Set(access.grants.map(({ principalId }) => principalId.toLowerCase()));
      const others = await noGroups.get([...holders].sort());
      const [groupsUnread] = listUnread([others]);
      return { ...access, noGroups: getKnown(others) ?? new Set(), groupsUnread };
    },
  };
}
