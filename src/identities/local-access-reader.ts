import { describe, describeFailure } from '../azure/failure.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';
import type { LocalAccess } from './local-access.ts';
import type { LocalRoles, LocalScope } from './local-role-client.ts';
import type { Principals } from './principal-client.ts';
import type { RoleGrant } from './role-grant.ts';

export interface LocalAccessServices {
  readonly localRoles: { grantsAt(...of: Parameters<LocalRoles['grantsAt']>): Promise<readonly RoleGrant[]> };
  readonly principals: Principals;
}

type Reader = () => Promise<LocalAccess>;
type Grants = { readonly value: readonly RoleGrant[] } | { readonly unread: unknown; readonly scope: LocalScope };

/**
 * Reads which principals may use the keys of one Managed HSM, each list once. Requests are sequential: the HSM answers
 * only a few per second. Never throws: the result names the parts that cannot be read.
 */
export class LocalAccessReader {
  readonly #hsm: ManagedVault;
  readonly #services: LocalAccessServices;
  readonly #signal: AbortSignal | undefined;
  readonly #lists = new Map<LocalScope, Promise<Grants>>();
  readonly #resolved = new Set<string>();
  readonly #noGroups: Promise<ReadonlySet<string>>[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #refusal: unknown;
  #silence: unknown;
  #groupsRefusal: unknown;

  constructor(hsm: ManagedVault, services: LocalAccessServices, signal: AbortSignal | undefined) {
    this.#hsm = hsm;
    this.#services = services;
    this.#signal = signal;
  }

  /** The error of the first list that could not be read. */
  get refusal(): unknown {
    return this.#refusal;
  }

  /** The error of the query for principals that are not groups. */
  get groupsRefusal(): unknown {
    return this.#groupsRefusal;
  }

  /**
   * Reads the access to a key in three steps, cheapest first. Roles for all keys suffice for most principals. Then
   * follow the roles on the key. The query for groups matters only to a principal without a sufficient role.
   */
  readers(name: string): readonly [Reader, ...Reader[]] {
    return [() => this.ofAllKeys(), () => this.#ofKeyAlone(name), () => this.ofKey(name)];
  }

  /** Does not read roles on single keys. */
  async ofAllKeys(): Promise<LocalAccess> {
    const unread = 'Roles on single keys were not read.';
    return { ...(await this.#read(['/', '/keys'])), unread, noGroups: new Set() };
  }

  async ofKey(name: string): Promise<LocalAccess> {
    const access = await this.#ofKeyAlone(name);
    if (access.unread !== undefined) return access;
    const noGroups = await this.#readNoGroups(access.grants);
    const refusal = this.#groupsRefusal;
    const groupsUnread = refusal === undefined ? undefined : describe(describeFailure(refusal));
    return { ...access, noGroups, groupsUnread };
  }

  async #ofKeyAlone(name: string): Promise<LocalAccess> {
    return { ...(await this.#read(['/', '/keys', `/keys/${name}`])), noGroups: new Set() };
  }

  async #read(scopes: readonly LocalScope[]): Promise<Omit<LocalAccess, 'noGroups'>> {
    const read = await Promise.all(scopes.map((scope) => this.#list(scope)));
    const unread = read.find((one) => 'unread' in one);
    const grants = read.flatMap((one) => ('value' in one ? one.value : []));
    const why =
      unread && `The local roles at ${unread.scope} cannot be read: ${describe(describeFailure(unread.unread))}`;
    return { model: 'local', grants, unread: why };
  }

  #list(scope: LocalScope): Promise<Grants> {
    const known = this.#lists.get(scope);
    if (known) return known;
    const reading = this.#last.then(async (): Promise<Grants> => {
      if (this.#silence !== undefined) return { unread: this.#silence, scope };
      try {
        this.#signal?.throwIfAborted();
        return { value: await this.#services.localRoles.grantsAt(this.#hsm, scope, this.#signal) };
      } catch (error) {
        this.#refusal ??= error;
        // After a refused scope the next may succeed. After an HSM does not answer, the reader sends no more requests.
        const { kind } = describeFailure(error);
        if (kind === 'unavailable' || kind === 'throttled') this.#silence = error;
        return { unread: error, scope };
      }
    });
    this.#last = reading;
    this.#lists.set(scope, reading);
    return reading;
  }

  /** Queries each principal once. After an error it sends no more queries: any principal may then be a group. */
  async #readNoGroups(grants: readonly RoleGrant[]): Promise<ReadonlySet<string>> {
    const who = grants.map(({ principalId }) => principalId.toLowerCase());
    const fresh = new Set(who.filter((one) => !this.#resolved.has(one)));
    if (fresh.size > 0 && this.#groupsRefusal === undefined) {
      for (const one of fresh) this.#resolved.add(one);
      const asking = this.#services.principals.noGroups(fresh, this.#hsm.id, this.#signal);
      this.#noGroups.push(
        asking.catch((error: unknown) => {
          this.#groupsRefusal ??= error;
          return new Set();
        }),
      );
    }
    return new Set((await Promise.all(this.#noGroups)).flatMap((found) => [...found]));
  }
}
