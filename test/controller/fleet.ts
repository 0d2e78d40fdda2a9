import { setImmediate } from 'node:timers/promises';
import type { Account, Scope } from '../../src/accounts/account.ts';
import type { StorageAccounts } from '../../src/accounts/storage-client.ts';
import { CallCapacity } from '../../src/azure/call-capacity.ts';
import { KeyStates } from '../../src/controller/key-states.ts';
import { createMovedUses } from '../../src/controller/moved-uses.ts';
import type { PassState } from '../../src/controller/pass-state.ts';
import { reconcileSubscription } from '../../src/controller/reconcile-subscription.ts';
import type { FleetServices } from '../../src/controller/worker-ports.ts';
import type { LogRecord } from '../../src/errors/log.ts';
import { createFleetIndex } from '../../src/index/fleet-index.ts';
import { NO_ROLLOUT } from '../../src/index/rollout-row.ts';
import { createUseRows, toUseRow } from '../../src/index/use-row.ts';
import type { WorkKind } from '../../src/index/work-items.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import { MemoryOrders } from '../orders/memory-orders.ts';
import { MemoryRollouts } from '../simulation/memory-rollouts.ts';
import { day, KEY, keyVersion, SUBSCRIPTION, VAULT, VAULTS, versionName } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';
import { MemoryLeases } from '../support/memory-leases.ts';
import { MemoryWorkItems } from '../support/memory-work-items.ts';

export const FOREIGN = 'https://kv-other.vault.azure.net';
export const OTHER = `${VAULT.uri}/keys/other-key`;
export const CAUSE = { by: 'operator', ref: '', since: '' };

export const idOf = (name: string, group = 'rg') =>
  `/subscriptions/${SUBSCRIPTION}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/${name}`;

export function account(
  name: string,
  { vault = VAULT.uri, keyName = KEY.name, version = 1, wave = '', isAutomatic = false } = {},
): Account {
  const keyVaultProperties = {
    keyName,
    keyVaultUri: vault,
    keyVersion: isAutomatic ? '' : versionName(version),
    currentVersionedKeyIdentifier: `${vault}/keys/${keyName}/${versionName(version)}`,
  };

  return {
    id: idOf(name),
    subscriptionId: SUBSCRIPTION,
    resourceGroup: 'rg',
    name,
    type: 'Microsoft.Storage/storageAccounts',
    location: 'westeurope',
    tags: wave ? { 'cmk-wave': wave } : {},
    userAssignedIdentities: [],
    principalIds: {},
    systemPrincipalId: undefined,
    encryption: { keySource: 'Microsoft.Keyvault', keyVaultProperties },
  };
}

export function scopeOf(vault: string, { name = 'scope', keyName = KEY.name, version = 1 } = {}): Scope {
  const keyUri = `${vault}/keys/${keyName}/${versionName(version)}`;
  return { name, enabled: true, keyUri, currentKeyId: keyUri };
}

export const notFound = () =>
  Object.assign(new Error('no such account'), { statusCode: 404, code: 'ResourceNotFound' });

export const WRITTEN = { written: { file: '', seq: 0, hash: '' } };

/** Uses that no drift check leaves, and none. */
export const ALL_FIXED = {
  autofix: ['StaleKeyVersion', 'ScopeStaleKeyVersion', 'LaggingAutomaticVersion'],
  exemptions: [],
};
export const NONE_FIXED = { autofix: [], exemptions: [] };

/** States of keys that no pause or stage holds. An order moved uses from the key to the other one. */
export function openStates(versions: readonly KeyVersion[], now: () => Date): KeyStates {
  const rollout = { ...NO_ROLLOUT, target: versions.at(-1)?.id, stage: 'rest' } as const;
  const by = { objectId: 'operator' };
  const order = {
    id: 'rekey-1',
    from: KEY.id,
    to: OTHER,
    maxFailures: 1,
    reason: '',
    by,
    startedOn: day(1).toISOString(),
  };

  return new KeyStates({
    keys: { listVersions: async () => versions },
    orders: { read: async () => ({ ...NO_ORDERS, rekeys: [{ ...order, state: 'ended' }] }) },
    moved: createMovedUses(new MemoryFleetTable().port()),
    rollouts: { read: async () => ({ row: rollout, etag: '' }) },
    vaults: VAULTS,
    now,
  });
}

/** Saves the state of a lease, as its last holder left it. */
export async function saveState(state: PassState, leases: MemoryLeases): Promise<void> {
  const lease = await leases.acquire(`subscription/${SUBSCRIPTION}`);
  await lease?.save(state);
  await lease?.release();
}

/** One subscription: its accounts, and the app's own storage, in memory and on a clock of their own. */
export class Fleet {
  readonly accounts = new Map<string, Account>();
  readonly scopes = new Map<string, readonly Scope[]>();
  readonly table = new MemoryFleetTable();
  readonly items = new MemoryWorkItems();
  readonly rollouts = new MemoryRollouts();
  readonly logs: LogRecord[] = [];
  readonly calls: string[] = [];
  clock = day(20).getTime();
  isGetDown = false;
  /** What a list shows; undefined: the accounts as they are. */
  outdatedList: readonly Account[] | undefined;
  /** Details of each audit record. */
  readonly details: unknown[] = [];
  /** Requests to the app's own storage. */
  requests = 0;

  /** With the accounts in the index. */
  static async listed(...accounts: readonly Account[]): Promise<Fleet> {
    const fleet = new Fleet();
    fleet.add(...accounts);
    await fleet.pass('list');
    return fleet;
  }

  add(...accounts: readonly Account[]): void {
    for (const one of accounts) this.accounts.set(one.name, one);
  }

  /** Moves an account to another resource group. */
  move(name: string, resourceGroup: string): void {
    const found = this.accounts.get(name);
    if (found) this.add({ ...found, id: idOf(name, resourceGroup), resourceGroup });
  }

  /** Puts a work item, and runs a pass. */
  async pass(kind: WorkKind, about = '', ports: Partial<FleetServices> = {}): Promise<void> {
    const now = new Date(this.clock);
    this.items.put({ subscription: SUBSCRIPTION, kind, about, due: now, since: now, cause: CAUSE });
    await reconcileSubscription(SUBSCRIPTION, new Date(this.clock + 240_000), { ...this.ports(), ...ports });
  }

  uses(): string[] {
    const uses = this.table.all.flatMap((row) => toUseRow(row) ?? []);
    return uses.map(({ account: id, scope, key, wave }) => {
      const name = `${id.split('/').at(-1)}${scope ? '/scope' : ''}`;
      return [name, key === KEY.id ? 'own' : 'foreign', ...(wave ? [`wave ${wave}`] : [])].join(' ');
    });
  }

  async unlisted(): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const { account: id, scopesReadOn } of createFleetIndex(this.table.port()).accounts(SUBSCRIPTION)) {
      if (scopesReadOn === undefined) names.push(id.split('/').at(-1) ?? '');
    }
    return names;
  }

  ports(): FleetServices {
    const way = async <T>(_: string, effect: () => T): Promise<T> => {
      this.requests += 1;
      return effect();
    };
    const table = this.table.port(way);

    const find = ({ name, resourceGroup }: { readonly name: string; readonly resourceGroup: string }): Account => {
      const found = this.accounts.get(name);
      if (found?.resourceGroup.toLowerCase() !== resourceGroup.toLowerCase()) throw notFound();
      return found;
    };

    const get: StorageAccounts['get'] = async (id) => {
      this.calls.push(`get ${id.name}`);
      if (this.isGetDown) throw Object.assign(new Error('down'), { statusCode: 503 });
      return find(id);
    };

    const unexpected = () => Promise.reject(new Error('Nothing is written to an account here.'));
    const { scopes, calls } = this;
    const listed = () => this.outdatedList ?? this.accounts.values();
    const now = () => new Date(this.clock);

    return {
      items: this.items.port(way),
      rows: createUseRows(table),
      fleet: createFleetIndex(table),
      rollouts: this.rollouts.port(way),
      leases: new MemoryLeases(now),
      vaults: VAULTS,
      now,
      accounts: {
        get,
        updateEncryption: unexpected,
        updateScopeKey: unexpected,
        list: async function* () {
          calls.push('list');
          yield* listed();
        },
        listScopes: async function* (id) {
          calls.push(`list scopes ${id.name}`);
          find(id);
          yield* scopes.get(id.name) ?? [];
        },
        getScope: async (id, scope) => {
          const { name } = id;
          calls.push(`get ${name}/${scope}`);
          find(id);
          const found = scopes.get(name)?.find((one) => one.name === scope);
          if (!found) throw notFound();
          return found;
        },
      },
      keys: { listVersions: async () => [keyVersion(1)] },
      states: openStates([keyVersion(1)], now),
      reconcileKey: async () => {},
      capacity: new CallCapacity(),
      audit: async ({ details }) => {
        this.details.push(details);
        return WRITTEN;
      },
      exclusions: ALL_FIXED,
      canaries: 1,
      sleep: async () => {
        await setImmediate();
        this.clock += 10;
      },
      log: (record) => {
        this.logs.push(record);
      },
      inSight: async () => [SUBSCRIPTION],
      orders: new MemoryOrders(),
      moved: createMovedUses(table),
      probe: async () => undefined,
      sendKey: async () => {},
      send: async () => {},
    };
  }
}
