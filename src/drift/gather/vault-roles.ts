import { known, type Part, readPart, type UnreadPart, unreadOf, type What } from '../../azure/read-or-why.ts';
import type { Account } from '../../fleet/account.ts';
import type { Authorization } from '../../identities/authorization-client.ts';
import {
  accessEnds,
  type IdentityState,
  type KeyAccess,
  keyAccess,
  type VaultAccess,
} from '../../identities/key-access.ts';
import {
  GROUP_ROLES_READ,
  LOCAL_ROLES_READ,
  LocalAccessReader,
  type LocalAccessServices,
} from '../../identities/local-access-reader.ts';
import type { RoleGrant } from '../../identities/role-grant.ts';
import type { ManagedVault } from '../../keys/managed-vaults.ts';
import type { VaultProperties } from '../../vaults/vault-client.ts';

/** Maximum number of principals per check whose groups are read. Each needs a call. */
const MAX_GROUP_LOOKUPS = 200;
const TOO_MANY = `More than ${MAX_GROUP_LOOKUPS} identities have no direct role on the vault. Their groups may have one, which Azure returns only for one identity at a time. The app did not read the others. Assign the role directly to the identities, or exempt this finding in CMK_EXEMPTIONS.`;

/** Reads without which it is unknown whether an identity may use a key of the vault. */
export const VAULT_ACCESS = {
  vault: 'the vault',
  roles: 'the role assignments of the vault',
  groups: GROUP_ROLES_READ.what,
  local: LOCAL_ROLES_READ.what,
} as const;

const LOCAL_GROUPS =
  'A Managed HSM does not return the members of a group. Some identities have no sufficient direct role, but may have one through a group. Assign the role directly to the identities.';

interface VaultRolesAnswer {
  readonly access: KeyAccess;
  /** The failed read that caused the access `unknown`. */
  readonly unread?: UnreadPart;
}

/**
 * Determines which identities may use the keys of one vault. Lists its role assignments once, regardless of the number
 * of accounts. Reads group roles only for principals without a direct role.
 */
export type VaultRolesServices = LocalAccessServices & { readonly authorization: Authorization };

export class VaultRoles {
  readonly #vault: ManagedVault;
  readonly #local: LocalAccessReader;
  readonly #authorization: Authorization;
  readonly #byGroup = new Map<string, Promise<Part<RoleGrant[]>>>();
  #properties: VaultProperties | undefined;
  #grants: Part<ReadonlyMap<string, readonly RoleGrant[]>> = { value: new Map() };
  #ends: Part<ReadonlyMap<string, Date>> = { value: new Map() };

  private constructor(vault: ManagedVault, services: VaultRolesServices, signal: AbortSignal | undefined) {
    this.#vault = vault;
    this.#authorization = services.authorization;
    this.#local = new LocalAccessReader(vault, services, signal);
  }

  static async read(
    vault: ManagedVault,
    properties: Part<VaultProperties | undefined>,
    services: VaultRolesServices,
    signal: AbortSignal | undefined,
  ): Promise<VaultRoles> {
    const roles = new VaultRoles(vault, services, signal);
    roles.#properties = known(properties);
    if (roles.#properties?.accessModel !== 'rbac') return roles;
    const { authorization } = services;
    const resource = vault.id;
    const action = 'Microsoft.Authorization/roleAssignments/read';
    roles.#grants = await readPart({ resource, what: VAULT_ACCESS.roles, action }, async () => {
      const all = await authorization.grantsAt(vault.id, signal);
      return Map.groupBy(all, ({ principalId }) => principalId.toLowerCase());
    });
    const what = 'the end dates of role assignments of the vault';
    const ofSchedules = 'Microsoft.Authorization/roleAssignmentScheduleInstances/read';
    roles.#ends = await readPart({ resource, what, action: ofSchedules, beside: true }, () =>
      authorization.endsAt(vault.id, signal),
    );
    return roles;
  }

  /** The failed reads. */
  get unread(): UnreadPart[] {
    return unreadOf([this.#grants, this.#ends]);
  }

  /**
   * Whether an account may use a key of the vault.
   *
   * @param identity state of the account's user-assigned identity; undefined if it has none
   */
  async accessOf(account: Account, keyName: string, identity: IdentityState | undefined): Promise<VaultRolesAnswer> {
    if (this.#properties?.accessModel === 'local') return this.#accessLocally(account, keyName, identity);
    const key = { vaultId: this.#vault.id, name: keyName };
    const found = this.#direct(account);
    const direct = keyAccess(account, key, found, identity);
    const { principalId } = direct;
    if (direct.ready === true && principalId && found.model === 'rbac') {
      const until = accessEnds(principalId, key, found.grants, known(this.#ends) ?? new Map());
      return { access: until ? { ...direct, until } : direct };
    }
    if (direct.reason !== 'IdentityWithoutRole' || !principalId || this.#properties?.accessModel !== 'rbac') {
      return { access: direct };
    }
    const lookup = `${principalId} ${keyName}`.toLowerCase();
    let asked = this.#byGroup.get(lookup);
    if (!asked) {
      asked =
        this.#byGroup.size < MAX_GROUP_LOOKUPS
          ? readPart(this.#groups(), () =>
              this.#authorization.grantsTo(principalId, `${this.#vault.id}/keys/${keyName}`),
            )
          : Promise.resolve({ unread: { ...this.#groups(), kind: 'refused', detail: TOO_MANY } });
      this.#byGroup.set(lookup, asked);
    }
    const read = await asked;
    if ('value' in read) {
      return { access: keyAccess(account, key, { model: 'rbac', grants: read.value }, identity) };
    }
    const { unread } = read;
    return { access: keyAccess(account, key, { model: 'unknown', why: unread.detail }, identity), unread };
  }

  /** Uses the Managed HSM's local roles. Reads the roles on the key only if the roles on all keys do not suffice. */
  async #accessLocally(
    account: Account,
    keyName: string,
    identity: IdentityState | undefined,
  ): Promise<VaultRolesAnswer> {
    const key = { vaultId: this.#vault.id, name: keyName };
    let found = await this.#local.ofAllKeys();
    let access = keyAccess(account, key, found, identity);
    if (access.ready !== true && access.principalId) {
      found = await this.#local.ofKey(keyName);
      access = keyAccess(account, key, found, identity);
    }
    if (access.ready !== 'unknown') return { access };
    if (found.unread) return { access, unread: found.unread };
    // A finding on the identity reports this.
    if (identity?.is === 'unknown') return { access };
    const perhaps = { resource: this.#vault.id, ...LOCAL_ROLES_READ, what: VAULT_ACCESS.groups };
    return { access, unread: found.groupsUnread ?? { ...perhaps, kind: 'refused', detail: LOCAL_GROUPS } };
  }

  #groups(): What {
    return { resource: this.#vault.id, ...GROUP_ROLES_READ };
  }

  #direct(account: Account): VaultAccess {
    const properties = this.#properties;
    if (!properties) return { model: 'unknown', why: 'The app could not read the vault.' };
    if (properties.accessModel === 'accessPolicies') return { model: 'accessPolicies', policies: properties.policies };
    if ('unread' in this.#grants) return { model: 'unknown', why: this.#grants.unread.detail };
    const principals = [account.systemPrincipalId, ...Object.values(account.principalIds)];
    const grants = this.#grants.value;
    return { model: 'rbac', grants: principals.flatMap((id) => (id ? (grants.get(id.toLowerCase()) ?? []) : [])) };
  }
}
