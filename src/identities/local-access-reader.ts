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

type Look = () => Promise<LocalAccess>;
type Grants = { readonly value: readonly RoleGrant[] } | { readonly unread: unknown; readonly scope: LocalScope };

/**
 * Who may use the keys of one Managed HSM, read once for all that ask. Lists are asked for one after the other: the HSM
 * answers few of them a second. It never throws; what cannot be read is said.
 */
export class LocalAccessReader {
  readonly #hsm: ManagedVault;
  readonly #services: LocalAccessServices;
  readonly #signal: AbortSignal | undefined;
  readonly #lists = new Map<LocalScope, Promise<Grants>>();
  readonly #askedAbout = new Set<string>();
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

  /** What the first list that could not be read was answered with. */
  get refusal(): unknown {
    return this.#refusal;
  }

  /** What Azure answered where it did not say who is no group. */
  get groupsRefusal(): unknown {
    return this.#groupsRefusal;
  }

  /**
   * What is known of a key, from what costs least to all there is to know: by roles for all keys, which are enough for most;
   * by those on the key too; with who is no group, which matters only to a principal without a sufficient role.
   */
  looks(name: string): readonly [Look, ...Look[]] {
    return [() => this.ofAllKeys(), () => this.#ofKeyAlone(name), () => this.ofKey(name)];
  }

  /** What it does not show may still be there. */
  async ofAllKeys(): Promise<LocalAccess> {
    const unread = 'Roles on single keys were not looked at.';
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
        // One scope may be refused and the next one not; from an HSM that does not answer nothing more is expected.
        const { kind } = describeFailure(error);
        if (kind === 'unavailable' || kind === 'throttled') this.#silence = error;
        return { unread: error, scope };
      }
    });
    this.#last = reading;
    this.#lists.set(scope, reading);
    return reading;
  }

  /** Each principal is asked about once, and nothing any more without an answer: any of them may be one. */
  async #readNoGroups(grants: readonly RoleGrant[]): Promise<ReadonlySet<string>> {
    const who = grants.map(({ principalId }) => principalId.toLowerCase());
    const fresh = new Set(who.filter((one) => !this.#askedAbout.has(one)));
    if (fresh.size > 0 && this.#groupsRefusal === undefined) {
      for (const one of fresh) this.#askedAbout.add(one);
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
