import { known, type Part, readPart, unreadOf } from '../azure/read-or-why.ts';
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
export class LocalAccessReader {
  readonly #hsm: ManagedVault;
  readonly #services: LocalAccessServices;
  readonly #signal: AbortSignal | undefined;
  readonly #lists = new Map<LocalScope, Promise<Part<readonly RoleGrant[]>>>();
  readonly #noGroups = new Map<string, Promise<Part<ReadonlySet<string>>>>();

  constructor(hsm: ManagedVault, services: LocalAccessServices, signal: AbortSignal | undefined) {
    this.#hsm = hsm;
    this.#services = services;
    this.#signal = signal;
  }

  /**
   * Reads no roles on single keys: roles on all keys suffice for most principals. Without them, only {@link ofKey} shows
   * whether a principal may use a key.
   */
  ofAllKeys(): Promise<LocalAccess> {
    return this.#read(['/', '/keys']);
  }

  async ofKey(name: string): Promise<LocalAccess> {
    const access = await this.#read(['/', '/keys', `/keys/${name}`]);
    if (access.unread) return access;
    const holders = [...new Set(access.grants.map(({ principalId }) => principalId.toLowerCase()))].sort();
    const about = { resource: this.#hsm.id, ...GROUP_ROLES_READ };
    // Most keys of an HSM have the same holders.
    const read = once(this.#noGroups, holders.join(), () =>
      readPart(about, () => this.#services.principals.noGroups(new Set(holders), this.#hsm.id, this.#signal)),
    );
    const [groupsUnread] = unreadOf([await read]);
    return { ...access, noGroups: known(await read) ?? new Set(), groupsUnread };
  }

  async #read(scopes: readonly LocalScope[]): Promise<LocalAccess> {
    const about = { resource: this.#hsm.id, ...LOCAL_ROLES_READ };
    const list = (scope: LocalScope) =>
      once(this.#lists, scope, () =>
        readPart(about, () => this.#services.localRoles.grantsAt(this.#hsm, scope, this.#signal)),
      );
    const lists = await Promise.all(scopes.map(list));
    const [unread] = unreadOf(lists);
    return { model: 'local', grants: lists.flatMap((one) => known(one) ?? []), unread, noGroups: new Set() };
  }
}

/** Reads each key once: later callers share the first caller's read. */
function once<K, T>(reads: Map<K, Promise<T>>, key: K, read: () => Promise<T>): Promise<T> {
  const reading = reads.get(key) ?? read();
  reads.set(key, reading);
  return reading;
}
