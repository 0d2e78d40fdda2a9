import type { Account } from '../../accounts/account.ts';
import { readOnce } from '../../azure/read-once.ts';
import { getKnown, listUnread, type Part, readPart, type UnreadPart } from '../../azure/read-or-why.ts';
import {
  checkIdentityAccess,
  findAccessEnd,
  findKeyIdentity,
  type IdentityState,
  type KeyAccess,
  type VaultAccess,
} from '../../identities/key-access.ts';
import { createLocalAccessReader } from '../../identities/local-access-reader.ts';
import { createPolicyAccessReader } from '../../identities/policy-access-reader.ts';
import type { RoleGrant } from '../../identities/role-grant.ts';
import type { ManagedVault } from '../../keys/managed-vaults.ts';
import type { VaultProperties } from '../../vaults/vault-client.ts';
import { type GatherServices, PARTS } from './parts.ts';

/** Maximum number of principals per check whose groups are read. Each needs a call. */
const MAX_GROUP_LOOKUPS = 200;
const TOO_MANY = `More than ${MAX_GROUP_LOOKUPS} identities have no direct role on the vault. Their groups may have one, which Azure returns only for one identity at a time. The app did not read the others. Assign the role directly to the identities, or exempt this finding in CMK_EXEMPTIONS.`;
const POLICY_GROUPS =
  'Azure Resource Manager does not return the members of a group. Some identities have no sufficient access policy, but may have one through a group. Add the policy for the identities themselves (`cmk admin grant-role`).';
const LOCAL_GROUPS =
  'A Managed HSM does not return the members of a group. Some identities have no sufficient direct role, but may have one through a group. Assign the role directly to the identities.';

/** Names the reads of a vault without which it is unknown whether an identity may use its keys. */
export function listUnreadOfAccess(vault: ManagedVault): readonly string[] {
  const parts = [PARTS.vault(vault), PARTS.roles(vault.id), PARTS.groups(vault.id), PARTS.localRoles(vault.id)];
  return parts.map(({ what }) => what);
}

/** Determines which identities may use the keys of one vault. */
export interface VaultRoles {
  /** The failed reads. */
  readonly unread: readonly UnreadPart[];
  /**
   * Whether an account may use a key of the vault.
   *
   * @param identity state of the account's user-assigned identity; undefined if it has none
   */
  accessOf(account: Account, keyName: string, identity: IdentityState | undefined): Promise<VaultRolesAnswer>;
}

interface VaultRolesAnswer {
  readonly access: KeyAccess;
  /** The failed read that caused the access `unknown`. */
  readonly unread?: UnreadPart;
}

/** Reads the roles of a vault, as its access model requires. */
export async function readVaultRoles(
  vault: ManagedVault,
  properties: VaultProperties | undefined,
  services: GatherServices,
  signal: AbortSignal | undefined,
): Promise<VaultRoles> {
  switch (properties?.accessModel) {
    case 'rbac':
      return rbacRoles(vault, services, signal);
    case 'local':
      return { unread: [], accessOf: localRoles(vault, createLocalAccessReader(vault, services, signal)) };
    case 'accessPolicies':
      return {
        unread: [],
        accessOf: policyRoles(vault, createPolicyAccessReader(vault, properties.policies, services, signal)),
      };
    default:
      return { unread: [], accessOf: unreadRoles(vault) };
  }
}

function unreadRoles({ id: vaultId }: ManagedVault): VaultRoles['accessOf'] {
  const found = { model: 'unknown', why: 'The app could not read the vault.' } as const;
  return async (account, name, identity) => ({
    access: checkIdentityAccess(account, { vaultId, name }, found, identity),
  });
}

function policyRoles(
  { id: vaultId }: ManagedVault,
  read: ReturnType<typeof createPolicyAccessReader>,
): VaultRoles['accessOf'] {
  return async (account, name, identity) => {
    const own = findKeyIdentity(account, identity);
    const found = await read('principalId' in own ? own.principalId : '');
    const access = checkIdentityAccess(account, { vaultId, name }, found, identity);
    // A finding on the identity reports that it cannot be read.
    if (access.ready !== 'unknown' || !access.principalId || identity?.is === 'unknown') return { access };
    const perhaps = { ...PARTS.groups(vaultId), kind: 'refused', detail: POLICY_GROUPS } as const;
    return { access, unread: found.groupsUnread ?? perhaps };
  };
}

/**
 * Lists the role assignments of a vault once, regardless of the number of accounts. Reads group roles only for
 * principals without a direct role.
 */
async function rbacRoles(
  { id: vaultId }: ManagedVault,
  { authorization }: GatherServices,
  signal: AbortSignal | undefined,
): Promise<VaultRoles> {
  const grants = await readPart(PARTS.roles(vaultId), async () => {
    const all = await authorization.grantsAt(vaultId, signal);
    return Map.groupBy(all, ({ principalId }) => principalId.toLowerCase());
  });
  const ends = await readPart(PARTS.roleEnds(vaultId), () => authorization.endsAt(vaultId, signal));
  const groups = PARTS.groups(vaultId);
  let lookups = 0;
  const byGroup = readOnce(
    async ({ principalId, name }: { principalId: string; name: string }): Promise<Part<RoleGrant[]>> => {
      lookups += 1;
      if (lookups > MAX_GROUP_LOOKUPS) return { unread: { ...groups, kind: 'refused', detail: TOO_MANY } };
      return readPart(groups, () => authorization.grantsTo(principalId, `${vaultId}/keys/${name}`));
    },
    ({ principalId, name }) => `${principalId} ${name}`,
  );

  const direct = (account: Account): VaultAccess => {
    if ('unread' in grants) return { model: 'unknown', why: grants.unread.detail };
    const principals = [account.systemPrincipalId, ...Object.values(account.principalIds)];
    const own = principals.flatMap((id) => (id ? (grants.value.get(id.toLowerCase()) ?? []) : []));
    return { model: 'rbac', grants: own };
  };

  return {
    unread: listUnread([grants, ends]),
    async accessOf(account, name, identity) {
      const key = { vaultId, name };
      const found = direct(account);
      const access = checkIdentityAccess(account, key, found, identity);
      const { principalId } = access;
      if (access.ready === true && principalId && found.model === 'rbac') {
        const until = findAccessEnd(principalId, key, found.grants, getKnown(ends) ?? new Map());
        return { access: until ? { ...access, until } : access };
      }

      if (access.reason !== 'IdentityWithoutRole' || !principalId) return { access };

      const read = await byGroup.get({ principalId, name });
      if ('value' in read) {
        return { access: checkIdentityAccess(account, key, { model: 'rbac', grants: read.value }, identity) };
      }

      const { unread } = read;

      return { access: checkIdentityAccess(account, key, { model: 'unknown', why: unread.detail }, identity), unread };
    },
  };
}

/** Uses the Managed HSM's local roles. Reads the roles on the key only if the roles on all keys do not suffice. */
function localRoles(
  { id: vaultId }: ManagedVault,
  local: ReturnType<typeof createLocalAccessReader>,
): VaultRoles['accessOf'] {
  return async (account, name, identity) => {
    let found = await local.ofAllKeys();
    let access = checkIdentityAccess(account, { vaultId, name }, found, identity);
    if (access.ready !== true && access.principalId) {
      found = await local.ofKey(name);
      access = checkIdentityAccess(account, { vaultId, name }, found, identity);
    }

    if (access.ready !== 'unknown') return { access };
    if (found.unread) return { access, unread: found.unread };

    // A finding on the identity reports this.
    if (identity?.is === 'unknown') return { access };

    const perhaps = { ...PARTS.localRoles(vaultId), what: PARTS.groups(vaultId).what };

    return { access, unread: found.groupsUnread ?? { ...perhaps, kind: 'refused', detail: LOCAL_GROUPS } };
  };
}
