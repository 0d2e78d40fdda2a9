import { readOnce } from '../azure/read-once.ts';
import { getKnown, listUnread, readPart } from '../azure/read-or-why.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import type { KeyPolicy } from '../vaults/vault-client.ts';
import { listMissingRights, type PolicyAccess } from './key-access.ts';
import { GROUP_ROLES_READ } from './local-access-reader.ts';
import type { Principals } from './principal-client.ts';

/**
 * Reads the access of principals to a vault's keys by its access policies. Reads which policies may be those of groups
 * once, and only if a principal's access depends on it. Never throws: the result names the part that cannot be read.
 */
export function createPolicyAccessReader(
  vault: ManagedVault,
  policies: readonly KeyPolicy[],
  { principals }: { readonly principals: Principals },
  signal: AbortSignal | undefined,
) {
  const noGroups = readOnce((vaultId: string) => {
    const holders = new Set(policies.map(({ objectId }) => objectId.toLowerCase()));
    return readPart({ resource: vaultId, ...GROUP_ROLES_READ }, () => principals.noGroups(holders, vaultId, signal));
  });

  return async (principalId: string): Promise<PolicyAccess> => {
    const access: PolicyAccess = { model: 'accessPolicies', policies, noGroups: new Set() };
    const { undetermined } = listMissingRights(principalId, { vaultId: vault.id, name: undefined }, access);
    if (undetermined === undefined) return access;

    const read = await noGroups.get(vault.id);
    const [groupsUnread] = listUnread([read]);
    return { ...access, noGroups: getKnown(read) ?? new Set(), groupsUnread };
  };
}
