import type { Account } from '../../src/accounts/account.ts';
import { handleFleetWork, handleKeyWork, sendFor } from '../../src/controller/fleet-work.ts';
import { KeyStates } from '../../src/controller/key-states.ts';
import { createMovedUses } from '../../src/controller/moved-uses.ts';
import { reconcileKey } from '../../src/controller/reconcile-key.ts';
import { sweepWork } from '../../src/controller/sweep.ts';
import type { FleetServices } from '../../src/controller/worker-ports.ts';
import { createKeyItem, type NewWorkItem, type WorkKind } from '../../src/index/work-items.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { Cause } from '../../src/work/messages.ts';
import { MemoryOrders } from '../orders/memory-orders.ts';
import { KEY, keyVersion, SUBSCRIPTION, VAULT, VAULTS, versionName } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { MemoryLeases } from '../support/memory-leases.ts';
import { account, CAUSE, Fleet, scopeOf, WRITTEN } from './fleet.ts';

/** Seconds. */
export const MINUTE = 60;
export const HOUR = 3_600;
/** Two requests of twelve seconds without an answer. */
const NO_ANSWER_MS = 24_000;
export const nameOf = (n: number) => `st${String(n).padStart(5, '0')}`;
export const versionOf = (key: string, n: number) => ({ ...keyVersion(n), id: `${key}/${versionName(n)}` });
export const failure = (statusCode: number, code: string) => Object.assign(new Error(code), { statusCode, code });

/** One region with more uses than Azure's budgets, and all that works on it: passes, decisions, messages, the sweep. */
export class Region extends Fleet {
  /** Newest version of the key, and of every other key. */
  newest = 1;
  newestOthers = 1;
  /** Duration of each list of versions. Milliseconds. */
  listMs = 0;
  /** Whether the vault of a key gives no answer. */
  hangs: (key: string) => boolean = () => false;
  canaries = 0;
  isAuditDown = false;
  hangsUntil = 0;
  fails: (name: string) => Error | undefined = () => undefined;
  scopesFail: (name: string) => boolean = () => false;
  readonly recorded = new Set<string>();
  /** Each PATCH of an account, with its time. */
  readonly patches: { readonly name: string; readonly at: number }[] = [];
  readonly orders = new MemoryOrders();
  readonly leases = new MemoryLeases(() => new Date(this.clock));
  readonly #moved = createMovedUses(new MemoryFleetTable().port());
  #messages: { readonly at: number; readonly run: () => Promise<void> }[] = [];
  readonly #now = () => new Date(this.clock);
  readonly #list: FleetServices['keys']['listVersions'] = async ({ id }) => {
    const isHanging = this.hangs(id);
    const end = this.clock + (isHanging ? NO_ANSWER_MS : this.listMs);
    while (this.clock < end) await super.ports().sleep(10);
    if (isHanging) throw Object.assign(new Error('Key Vault did not answer.'), { name: 'TimeoutError' });
    return Array.from({ length: this.#newestOf(id) }, (_, n) => versionOf(id, n + 1));
  };
  readonly #shared = {
    capacity: super.ports().capacity,
    states: new KeyStates({
      ...super.ports(),
      keys: { listVersions: this.#list },
      orders: this.orders,
      moved: this.#moved,
    }),
  };

  static async indexed(accounts: number, build: (region: Region) => void = () => {}): Promise<Region> {
    const region = new Region();
    region.add(...Array.from({ length: accounts }, (_, n) => account(nameOf(n))));
    build(region);
    region.want('list');
    await region.until(() => region.items.all.length === 0, 8 * HOUR);
    region.clock += HOUR * 1000;
    region.calls.length = 0;
    return region;
  }

  addScopes(count: number): void {
    const scopes = Array.from({ length: count }, (_, n) => scopeOf(VAULT.uri, { name: `scope${n}` }));
    this.scopes.set(nameOf(0), scopes);
  }

  want(kind: WorkKind, about = '', more: Partial<NewWorkItem> = {}): void {
    const now = this.#now();
    this.items.put({ subscription: SUBSCRIPTION, kind, about, due: now, since: now, cause: CAUSE, ...more });
    this.ports().send({ subscriptions: [SUBSCRIPTION], tries: 0, cause: CAUSE });
  }

  rotate(): void {
    this.newest += 1;
    this.reconcile('event');
  }

  reconcile(by: string, key = KEY.id): void {
    const cause = { by, ref: '', since: this.#now().toISOString() };
    this.items.put(createKeyItem(key, cause, this.#now()));
    this.ports().sendKey(key, cause);
  }

  /** Starts a re-key of the key's uses. @param to identifier of the target key */
  rekey(to: string): void {
    const startedOn = this.#now().toISOString();
    const order = { id: 'rekey-1', from: KEY.id, to, maxFailures: 100_000, reason: 'test', startedOn };
    const rekeys = [{ ...order, state: 'active', by: { objectId: 'operator' } } as const];
    this.orders.orders = { ...this.orders.orders, rekeys };
    this.reconcile('rekey');
  }

  /** Delivers the messages that are due now, all at once, as to many functions. */
  async deliver(): Promise<void> {
    const due = this.#messages.filter(({ at }) => at <= this.clock);
    this.#messages = this.#messages.filter((message) => !due.includes(message));
    await Promise.all(due.map(({ run }) => run()));
  }

  #newestOf(key: string): number {
    return key === KEY.id ? this.newest : this.newestOthers;
  }

  on(version: string): number {
    const accounts = [...this.accounts.values()].map((one) => one.encryption.keyVaultProperties);
    const scopes = [...this.scopes.values()].flat();
    const all = [
      ...accounts.map((key) => key?.currentVersionedKeyIdentifier),
      ...scopes.map((one) => one.currentKeyId),
    ];
    return all.filter((id) => id === version).length;
  }

  /** Delivers messages and sweeps. @returns seconds until it was done, or the limit */
  async until(isDone: () => boolean, limit: number): Promise<number> {
    const begun = this.clock;
    for (let sweepAt = begun + 120_000; !isDone() && this.clock < begun + limit * 1000; ) {
      this.#messages.sort((a, b) => a.at - b.at);

      const next = (this.#messages[0]?.at ?? sweepAt) < sweepAt ? this.#messages.shift() : undefined;
      this.clock = Math.max(this.clock, next?.at ?? sweepAt);

      if (next) {
        await next.run();
      } else {
        sweepAt = this.clock + 120_000;
        await sweepWork({ ...this.ports(), sendJob: async () => {} });
      }
    }

    return (this.clock - begun) / 1000;
  }

  async #reconcile(key: ManagedKey, cause: Cause): Promise<void> {
    await sendFor(await reconcileKey(key, cause, this.ports()), cause, this.ports());
  }

  override ports(): FleetServices {
    const ports = super.ports();
    const { accounts } = ports;
    const later = (run: () => Promise<void>, at = this.#now()) => {
      this.#messages.push({ at: Math.max(this.clock, at.getTime()), run });
    };
    const reconcile: FleetServices['sendKey'] = async (id, cause, at) => {
      const key = VAULTS.key(id);
      if (key) later(() => handleKeyWork(id, () => this.#reconcile(key, cause), this.ports()), at);
    };

    const patched = async <T>(name: string, effect: () => T): Promise<T> => {
      const hangs = this.clock < this.hangsUntil;
      while (this.clock < this.hangsUntil) await ports.sleep(10);
      const failed = hangs ? failure(503, 'ServiceUnavailable') : this.fails(name);
      if (failed) throw failed;
      return effect();
    };

    return {
      ...ports,
      ...this.#shared,
      orders: this.orders,
      moved: this.#moved,
      leases: this.leases,
      keys: { listVersions: this.#list },
      canaries: this.canaries,
      probe: async () => 'proven',
      sendKey: reconcile,
      accounts: {
        ...accounts,
        listScopes: (id) => {
          if (!this.scopesFail(id.name)) return accounts.listScopes(id);
          this.calls.push(`list scopes ${id.name}`);
          throw failure(403, 'AuthorizationFailed');
        },
        updateEncryption: async ({ id, name, resourceGroup }, { keyVaultProperties: { keyName, keyVersion } = {} }) =>
          patched(name, (): Account => {
            this.patches.push({ name, at: this.clock });
            const isAutomatic = !keyVersion;
            const version = keyVersion ? Number.parseInt(keyVersion, 16) : this.newest;
            const after = { ...account(name, { keyName, version, isAutomatic }), id, resourceGroup };
            this.add(after);
            return after;
          }),
        updateScopeKey: async ({ name }, scope, keyUri) =>
          patched(scope, () => {
            const after = { name: scope, enabled: true, keyUri, currentKeyId: keyUri };
            this.scopes.set(name, this.scopes.get(name)?.map((one) => (one.name === scope ? after : one)) ?? []);
            return after;
          }),
      },
      reconcileKey: (key) => reconcile(key.id, { ...CAUSE, by: 'progress' }, new Date(this.clock + 10_000)),
      audit: async ({ id }) => {
        if (this.isAuditDown) return { failed: 'down' } as never;
        this.recorded.add(String(id));
        return WRITTEN;
      },
      send: async (work, at) => later(() => handleFleetWork(work, new Date(this.clock + 240_000), this.ports()), at),
    };
  }
}
