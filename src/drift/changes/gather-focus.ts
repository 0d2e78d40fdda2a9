import pMap from 'p-map';
import { describeFailure } from '../../azure/failure.ts';
import type { UnreadPart } from '../../azure/read-or-why.ts';
import { comparableId, parseStorageAccountId } from '../../azure/resource-id.ts';
import type { Account, PlatformScope, Scope } from '../../fleet/account.ts';
import { accountKeyUse, scopeKeyUse } from '../../fleet/key-use.ts';
import { useOfAccount, useOfScope } from '../../fleet/read-use.ts';
import type { AccountScopes, StorageAccounts } from '../../fleet/storage-client.ts';
import { parseKeyIdentifier } from '../../keys/key-identifier.ts';
import { ManagedVaults } from '../../keys/managed-vaults.ts';
import { REVOCATION_CHECKS } from '../checks/checks.ts';
import { evaluate } from '../checks/evaluate.ts';
import type { Rules } from '../checks/subjects.ts';
import { evaluateVaults } from '../evaluate-all.ts';
import { contextOf, type GatherServices, gatherTenants } from '../gather/gather.ts';
import { GatheredKeys, unreadOfKeys } from '../gather/gather-keys.ts';
import { gatherSubscription } from '../gather/gather-subscription.ts';
import { gatherVaults } from '../gather/gather-vaults.ts';
import { formerUses } from '../managed-accounts.ts';
import type { Finding } from '../report.ts';
import { type Focus, resourceOf } from './focus.ts';

/** More accounts of a subscription than that are not read one by one, but listed. */
const MOST_READS = 20;
const CONCURRENCY = 8;

/** What the checks found on the subjects of a focus. */
export interface FocusResult {
  readonly found: readonly Omit<Finding, 'since'>[];
  /** What could not be read: findings on it may be missing. */
  readonly unread: readonly UnreadPart[];
  /** Azure's own time stamp of each use of a changed account, by comparable id: it differs after each change of the key. */
  readonly stamps: ReadonlyMap<string, string>;
}

/**
 * Runs the checks of the whole drift check on a few subjects: reads these, and the keys, vaults and identities that they use.
 * Never throws for what cannot be read.
 */
export async function checkFocus(focus: Focus, rules: Rules, services: GatherServices): Promise<FocusResult> {
  const memory = (await services.driftStorage.managedAccounts()) ?? {};
  const read = await readAccounts(focus, services);
  const former = formerUses(memory);
  const uris = new Set([
    ...focus.vaultUris,
    ...[...focus.vaults.values()].map(({ uri }) => uri),
    ...[...focus.keys].map((key) => parseKeyIdentifier(key)?.vaultUri),
    ...read.accounts.flatMap(({ name, encryption }) => [
      accountKeyUse(encryption)?.vaultUri,
      parseKeyIdentifier(former.get(name.toLowerCase())?.key ?? '')?.vaultUri,
    ]),
    ...read.scopes.map((scope) => (scope.keyUri === undefined ? undefined : scopeKeyUse(scope)?.vaultUri)),
  ]);
  const narrowed: GatherServices = {
    ...services,
    accounts: { ...services.accounts, list: read.list, listAllScopes: read.listAllScopes },
    settings: {
      ...services.settings,
      vaults: new ManagedVaults(services.settings.vaults.all.filter(({ uri }) => uris.has(uri))),
    },
  };
  const { vaults } = await gatherVaults(narrowed, rules, undefined);
  const keys = new GatheredKeys(vaults, narrowed);
  const context = contextOf({
    ...{ rules, keys, vaults, memory, services: narrowed, previous: undefined },
    tenants: await gatherTenants(services),
    areScopesDue: ({ id }) => focus.accounts.get(resourceOf(id))?.changed === true,
  });
  const results = await pMap(read.subscriptions, async (id) => gatherSubscription(id, context));
  for (const id of focus.keys) {
    const { vaultUri, keyName } = parseKeyIdentifier(id) ?? {};
    if (vaultUri && keyName) await keys.get(vaultUri, keyName);
  }
  const ownKeys = (await keys.all()).filter(({ key }) => focus.keys.has(resourceOf(key.id)));
  const own = vaults.filter(({ subject }) => focus.vaults.has(resourceOf(subject.vault.id)));
  return {
    found: [
      ...results.flatMap(({ findings }) => findings),
      ...ownKeys.flatMap((key) => evaluate(REVOCATION_CHECKS, key, key.key.id, rules)),
      ...evaluateVaults(own, ({ uri }) => focus.vaultUris.has(uri), rules),
    ],
    unread: [...vaults, ...results]
      .flatMap(({ unread }) => unread)
      .concat(unreadOfKeys(ownKeys))
      .filter(({ beside }) => !beside),
    stamps: read.stamps,
  };
}

interface ReadAccounts {
  readonly accounts: readonly Account[];
  readonly scopes: readonly (Scope | PlatformScope)[];
  readonly subscriptions: readonly string[];
  readonly stamps: FocusResult['stamps'];
  readonly list: StorageAccounts['list'];
  readonly listAllScopes: AccountScopes['listAllScopes'];
}

/** Reads the accounts of a focus, without deleted ones. Returns ports for the gathering of the whole check that serve them. */
async function readAccounts(focus: Focus, { accounts }: Pick<GatherServices, 'accounts'>): Promise<ReadAccounts> {
  const wanted = [...focus.accounts.values()].flatMap(({ id, changed }) => {
    const parsed = parseStorageAccountId(id);
    return parsed ? [{ ...parsed, changed }] : [];
  });
  const bySubscription = Map.groupBy(wanted, ({ subscriptionId }) => subscriptionId);
  const found = new Map<string, Account[]>();
  const failures = new Map<string, unknown>();
  await pMap(bySubscription, async ([subscription, ids]) => {
    try {
      found.set(subscription, await readOf(subscription, ids));
    } catch (error) {
      failures.set(subscription, error);
    }
  });
  const all = [...found.values()].flat();
  const scopes = new Map<string, readonly (Scope | PlatformScope)[]>();
  const scopeFailures = new Map<string, unknown>();
  const changed = all.filter(({ id }) => focus.accounts.get(resourceOf(id))?.changed === true);
  await pMap(
    changed,
    async (account) => {
      try {
        scopes.set(resourceOf(account.id), await collect(accounts.listAllScopes(account)));
      } catch (error) {
        scopeFailures.set(resourceOf(account.id), error);
      }
    },
    { concurrency: CONCURRENCY },
  );
  const stamps = new Map(
    changed.flatMap((account) => {
      const { about, stamp, startedOn } = useOfAccount(account, new Date(0));
      const ofScopes = (scopes.get(resourceOf(account.id)) ?? []).flatMap((scope): [string, string][] => {
        const id = comparableId(`${account.id}/encryptionScopes/${scope.name}`);
        return scope.keyUri === undefined ? [] : [[id, useOfScope(scope, about, startedOn).stamp]];
      });
      return [[comparableId(account.id), stamp], ...ofScopes] as const;
    }),
  );
  return {
    accounts: all,
    stamps,
    scopes: [...scopes.values()].flat(),
    subscriptions: [...bySubscription.keys()],
    async *list(subscription) {
      yield* found.get(subscription) ?? [];
      if (failures.has(subscription)) throw failures.get(subscription);
    },
    async *listAllScopes({ id }) {
      yield* scopes.get(resourceOf(id)) ?? [];
      if (scopeFailures.has(resourceOf(id))) throw scopeFailures.get(resourceOf(id));
    },
  };

  async function readOf(subscription: string, ids: typeof wanted): Promise<Account[]> {
    if (ids.length > MOST_READS) {
      const names = new Set(ids.map(({ id }) => resourceOf(id)));
      return (await collect(accounts.list(subscription))).filter(({ id }) => names.has(resourceOf(id)));
    }
    const read = await pMap(
      ids,
      async (id) => {
        try {
          return await accounts.get(id);
        } catch (error) {
          if (describeFailure(error).kind === 'notFound') return undefined;
          throw error;
        }
      },
      { concurrency: CONCURRENCY },
    );
    return read.filter((account) => account !== undefined);
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
