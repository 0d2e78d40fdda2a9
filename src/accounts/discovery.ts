import { describe, describeFailure } from '../azure/failure.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { Account } from '../fleet/account.ts';
import type { UnaskedAccount } from '../fleet/fleet-index.ts';
import { accountKeyUse, scopeKeyUse, usesKey } from '../fleet/key-use.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { listTurn } from './ask-scopes.ts';
import { DeniedScopes } from './denied-scopes.ts';
import {
  accountPlace,
  type Dependent,
  type DiscoveryServices,
  type Findings,
  type SearchedSubscriptions,
} from './dependent.ts';
import { FleetScans } from './fleet-scan.ts';
import { findDependents, type Inventory, type Late, lateAfter, type SearchServices } from './inventory.ts';
import { readNewer } from './newer-accounts.ts';
import { type Asked, askUnasked, markSent } from './unasked.ts';
import { unlistedOf } from './unlisted.ts';

/** Accounts that are handed on together, as many as are looked at together. Of a queue that fails so many turns are lost. */
const HANDED_TOGETHER = 24;
const NOTHING_ASKED: Asked = { toAsk: [], unreadable: [] };

/** What was found, and what could not be looked at. */
export interface Discovered extends Inventory {
  /** Whether the index was there: who is not in `toAsk` is known to it. */
  readonly indexed: boolean;
}

/**
 * Finds what depends on a key, and hands each dependent to `found` once, as soon as it is known: first what the index has,
 * then accounts that are newer, then those of subscriptions that were not listed lately. Where the index cannot be read,
 * everything is listed.
 *
 * @throws what `found` or `ask` throws first; the search ends there, as whoever looks again finds everything again
 */
export async function discoverDependents(
  key: ManagedKey,
  subscriptions: SearchedSubscriptions,
  services: DiscoveryServices,
  findings: Findings,
  log: Log,
): Promise<Discovered> {
  const begun = { startedOn: services.now(), late: lateAfter(services.now), turn: listTurn(services) };
  return new Discovery(key, subscriptions, { ...services, ...begun }, findings, log).run();
}

type Searching = DiscoveryServices & Late & Pick<SearchServices, 'turn'> & { readonly startedOn: Date };

class Discovery {
  readonly #key: ManagedKey;
  readonly #subscriptions: SearchedSubscriptions;
  readonly #services: Searching;
  readonly #findings: Findings;
  readonly #log: Log;
  readonly #handed = new Set<string>();
  readonly #notHanded: unknown[] = [];
  readonly #said = new Set<Reason>();
  readonly #corrupt = new Set<string>();

  constructor(
    key: ManagedKey,
    subscriptions: SearchedSubscriptions,
    services: Searching,
    findings: Findings,
    log: Log,
  ) {
    this.#key = key;
    this.#subscriptions = subscriptions;
    this.#services = services;
    this.#findings = findings;
    this.#log = log;
  }

  async run(): Promise<Discovered> {
    const newer = this.#newer();
    const known = await this.#fromIndex();
    await this.#handEach(await newer, (dependent) => dependent);
    const unlisted = known ? await this.#unlisted() : undefined;
    const discovered = unlisted ? await this.#complete(unlisted) : undefined;
    return this.#result(discovered ?? (await this.#withoutIndex()));
  }

  #result(discovered: Omit<Discovered, 'dependents'>): Discovered {
    if (this.#notHanded.length > 0) throw this.#notHanded[0];
    return { ...discovered, dependents: this.#handed.size };
  }

  /** Everything is listed, scopes and all, as if there were no index. */
  async #withoutIndex(): Promise<Discovered> {
    const inventory = await findDependents(this.#key, this.#subscriptions.ids, this.#services, (account) =>
      this.#handAccount(account),
    );
    return { ...inventory, indexed: false };
  }

  /** What the index lacks, one look at a time; undefined: the index does not tell. */
  #complete(unlisted: readonly string[]): Promise<Discovered | undefined> {
    const asks = this.#services.settings.scopeDiscovery === 'all';
    return this.#services.building.inTurn(async (waited) => {
      // Whoever was at it before may have listed and asked what this one would have.
      const left = waited && (await this.#fromIndex()) ? await this.#unlisted() : unlisted;
      const inventory = left && (await this.#list(left));
      const asked = inventory && (asks ? await this.#askScopes() : NOTHING_ASKED);
      if (!inventory || !asked) return undefined;
      // What another instance has found and written down since the index was asked is not listed and asked for again.
      if (!(await this.#fromIndex('again'))) return undefined;
      return { ...inventory, indexed: true, unreadableScopes: asked.unreadable };
    });
  }

  /** False: the index does not tell. */
  #fromIndex(again?: 'again'): Promise<boolean> {
    const corrupt = (row: string) => void this.#corrupt.add(row);
    const denied = new DeniedScopes();
    return this.#reading(async () => {
      await this.#handEach(this.#services.fleet.uses(this.#key.id, again ? undefined : corrupt), (use) => {
        denied.saw(use);
        const { account, location, scope, scopes, pinned, current } = use;
        const dependent = this.#dependent(account, location);
        if (!dependent || scope !== undefined) return dependent;
        return { ...dependent, ...(scopes === 'none' ? { scopes } : {}), seen: { pinned, current } };
      });
      if (denied.changes.length > 0) await this.#services.fleet.write(denied.changes).catch(() => {});
    });
  }

  /** Undefined: not to be looked at. */
  #dependent(account: string, location: string): Dependent | undefined {
    const id = parseStorageAccountId(account);
    if (!id || !this.#subscriptions.ids.includes(id.subscriptionId)) return undefined;
    return { id: id.id, subscriptionId: id.subscriptionId, location };
  }

  /** What may be newer than the index. Where that cannot be had, everything is listed. */
  async #newer(): Promise<readonly Dependent[]> {
    const { newer, failure } = await readNewer(this.#key, this.#services);
    if (failure) this.#say('NewerAccountsUnknown', failure.error);
    return newer.flatMap(({ id, location, seen }) => {
      const dependent = this.#dependent(id, location);
      return dependent ? { ...dependent, ...(seen ? { seen } : {}) } : [];
    });
  }

  /** The subscriptions that are to be listed; undefined: the index does not tell. */
  async #unlisted(): Promise<readonly string[] | undefined> {
    // A row that was taken away may have been anybody's.
    if (this.#corrupt.size > 0) return this.#subscriptions.ids;
    const isKnown = !this.#said.has('NewerAccountsUnknown');
    let unlisted: readonly string[] = [];
    const read = await this.#reading(async () => {
      unlisted = await unlistedOf(this.#subscriptions, isKnown, this.#services);
    });
    return read ? unlisted : undefined;
  }

  /** Lists subscriptions and writes down what they show; undefined: that could not be written. */
  async #list(ids: readonly string[]): Promise<Inventory | undefined> {
    const scans = new FleetScans(this.#services, this.#corrupt.size > 0);
    const services = { ...this.#services, settings: { scopeDiscovery: 'dependents' as const }, scans };
    const inventory = await findDependents(this.#key, ids, services, (account) => this.#handAccount(account));
    for (const [id, on] of scans.listed) this.#services.building.noteListed(id, on);
    if (!scans.failure) return inventory;
    this.#say('FleetIndexUnavailable', scans.failure.error);
    return undefined;
  }

  /** Asks accounts that were never asked for their scopes: nobody knows whether one uses the key. */
  async #askScopes(): Promise<Asked | undefined> {
    let asked = NOTHING_ASKED;
    // Those that were handed on are asked when they are looked at.
    const isWanted = ({ account, location }: UnaskedAccount): boolean =>
      this.#dependent(account, location) !== undefined && !this.#handed.has(accountPlace(account));
    const read = await this.#reading(async () => {
      asked = await askUnasked(this.#services, isWanted, async ({ account, location }, scopes) => {
        const dependent = this.#dependent(account, location);
        const uses = scopes.some((scope) => usesKey(scopeKeyUse(scope), this.#key));
        if (dependent && uses) await this.#hand(dependent);
      });
    });
    if (!read) return undefined;
    try {
      const toAsk = asked.toAsk.flatMap(({ account, location }) => this.#dependent(account, location) ?? []);
      await this.#findings.ask(toAsk, asked.unreadable);
    } catch (error) {
      this.#notHanded.push(error);
      return asked;
    }
    // Only then: a word of somebody who never was sent would keep others from being sent.
    return (await this.#reading(() => markSent(asked.toAsk, this.#services))) ? asked : undefined;
  }

  /** Runs something that needs the index. False, with a word: it cannot be had. */
  async #reading(read: () => Promise<void>): Promise<boolean> {
    try {
      await read();
      return true;
    } catch (error) {
      this.#say('FleetIndexUnavailable', error);
      return false;
    }
  }

  /** Many at once, and so with turns side by side: no other key's come between them. */
  async #handEach<T>(rows: AsyncIterable<T> | readonly T[], toDependent: (row: T) => Dependent | undefined) {
    const read: Dependent[] = [];
    const hand = () => Promise.all(read.splice(0).map((dependent) => this.#hand(dependent)));
    try {
      for await (const row of rows) {
        const dependent = toDependent(row);
        if (dependent) read.push(dependent);
        if (read.length >= HANDED_TOGETHER) await hand();
        if (this.#notHanded.length > 0) return;
      }
    } finally {
      await hand();
    }
  }

  #handAccount({ id, location, encryption }: Account): Promise<void> {
    const dependent = this.#dependent(id, location);
    if (!dependent) return Promise.resolve();
    const use = accountKeyUse(encryption);
    if (!usesKey(use, this.#key)) return this.#hand(dependent);
    return this.#hand({ ...dependent, seen: { pinned: use.pinned, current: use.current } });
  }

  /** Each once. It never rejects, since nobody may be waiting for it. */
  async #hand(dependent: Dependent): Promise<void> {
    const place = accountPlace(dependent.id);
    if (this.#handed.has(place)) return;
    this.#handed.add(place);
    try {
      await this.#findings.found(dependent);
    } catch (error) {
      this.#notHanded.push(error);
    }
  }

  #say(reason: Reason, error: unknown): void {
    if (this.#said.has(reason)) return;
    this.#said.add(reason);
    const message = `${REASONS[reason]} ${describe(describeFailure(error))}`;
    this.#log({ level: 'warning', reason, message, key: this.#key.id });
  }
}
