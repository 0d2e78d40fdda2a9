import pLimit from 'p-limit';
import pMap from 'p-map';
import { unlessMissing } from '../../azure/failure.ts';
import { known, readPart, type UnreadPart, unreadOf } from '../../azure/read-or-why.ts';
import { comparableId, parseStorageAccountId, type ResourceId, scopeResource } from '../../azure/resource-id.ts';
import { usesOfVault } from '../../dependents/resource-graph-query.ts';
import type { Account, PlatformScope, Scope } from '../../fleet/account.ts';
import { useOfAccount, useOfScope } from '../../fleet/read-use.ts';
import { parseKeyIdentifier } from '../../keys/key-identifier.ts';
import { KEY_USER_CHECKS, REVOCATION_CHECKS } from '../checks/checks.ts';
import { evaluate } from '../checks/evaluate.ts';
import type { KeySubject, Rules } from '../checks/subjects.ts';
import { contextOf, type GatherServices } from '../gather/gather.ts';
import { unreadOfKeys } from '../gather/gather-keys.ts';
import { gatherSubscription } from '../gather/gather-subscription.ts';
import type { Finding } from '../report.ts';
import { evaluateVaults } from '../to-report.ts';
import { collect, type Focus, resourceOf } from './focus.ts';

/** Maximum number of accounts to read separately. Above it, the app lists the subscription. */
const MOST_READS = 20;
const CONCURRENCY = 8;

/** Findings of the checks on the subjects of a focus. */
export interface FocusResult {
  readonly found: readonly Omit<Finding, 'since'>[];
  /** Failed reads, which may hide findings. */
  readonly unread: readonly UnreadPart[];
  /** Azure's time stamp of each use of a changed account, by comparable id. Every change of the key changes it. */
  readonly stamps: ReadonlyMap<string, string>;
}

/**
 * Runs the drift checks on a few subjects. Reads these and their keys, vaults and identities. Never throws for a failed
 * read.
 */
export async function checkFocus(focus: Focus, rules: Rules, services: GatherServices): Promise<FocusResult> {
  const stamps = new Map<string, string>();
  const wanted = [...focus.accounts.values()].flatMap(({ id }) => parseStorageAccountId(id) ?? []);
  const accounts = { ...services.accounts, ...listOnly(wanted, focus, services, stamps) };
  const context = await contextOf({
    ...{ rules, services: { ...services, accounts }, previous: undefined, signal: undefined },
    memory: await services.driftStorage.managedAccounts(),
    areScopesDue: ({ id }) => isChanged(id, focus),
  });
  const { vaults, keys } = context;
  const results = await pMap(new Set(wanted.map(({ subscriptionId }) => subscriptionId)), (id) =>
    gatherSubscription(id, context),
  );
  const keyUsers = await pMap(
    focus.keyUsers.values(),
    (id) => {
      const what = { resource: id.id, what: 'a resource of another service', action: `${id.type}/read` };
      return readPart(what, () => services.keyUsers.get(id));
    },
    { concurrency: CONCURRENCY },
  );
  const keyOf = async (vaultUri = '', name = '', others?: KeySubject['others']) => {
    const key = await keys.get(vaultUri, name);
    return key ? [others ? { ...key, others } : key] : [];
  };
  const revoked = await pMap(focus.keys, (id) => {
    const { vaultUri, keyName } = parseKeyIdentifier(id) ?? {};
    return keyOf(vaultUri, keyName);
  });
  const used = await pMap(
    keyUsers.flatMap((part) => {
      const resource = known(part);
      return services.settings.vaults.all.flatMap((vault) =>
        resource ? [...usesOfVault(resource, vault)].map(([name, user]) => ({ uri: vault.uri, name, user })) : [],
      );
    }),
    ({ uri, name, user }) => keyOf(uri, name, [user]),
  );
  const changed = await pMap(focus.vaults.values(), async ({ uri }) => (await vaults.get(uri)) ?? [], {
    concurrency: CONCURRENCY,
  });
  return {
    found: [
      ...results.flatMap(({ findings }) => findings),
      ...revoked.flat().flatMap((key) => evaluate(REVOCATION_CHECKS, key, key.key.id, rules)),
      ...used.flat().flatMap((key) => evaluate(KEY_USER_CHECKS, key, key.key.id, rules)),
      ...evaluateVaults(
        changed.flat().map(({ subject }) => subject),
        ({ uri }) => focus.vaultUris.has(uri),
        rules,
      ),
    ],
    unread: [
      ...[...(await vaults.all()), ...results].flatMap(({ unread }) => unread),
      ...unreadOfKeys([...revoked, ...used].flat()),
      ...unreadOf(keyUsers),
    ].filter(({ beside }) => !beside),
    stamps,
  };
}

function isChanged(account: string, { accounts }: Focus): boolean {
  return accounts.get(resourceOf(account))?.changed === true;
}

/**
 * Ports that list only the given accounts, without deleted accounts. @param stamps receives the stamps of changed
 * accounts
 */
function listOnly(
  wanted: readonly ResourceId[],
  focus: Focus,
  { accounts }: Pick<GatherServices, 'accounts'>,
  stamps: Map<string, string>,
): Pick<GatherServices['accounts'], 'list' | 'listAllScopes'> {
  const limit = pLimit(CONCURRENCY);
  const scopes = new Map<string, Promise<readonly (Scope | PlatformScope)[]>>();
  const readChanged = async (account: Account): Promise<readonly (Scope | PlatformScope)[]> => {
    const { about, stamp, startedOn } = useOfAccount(account, new Date(0));
    stamps.set(comparableId(account.id), stamp);
    const read = await collect(accounts.listAllScopes(account));
    for (const scope of read) {
      if (scope.keyUri === undefined) continue;
      const id = comparableId(scopeResource(account.id, scope.name));
      stamps.set(id, useOfScope(scope, about, startedOn).stamp);
    }
    return read;
  };
  return {
    async *list(subscription) {
      const ids = wanted.filter(({ subscriptionId }) => subscriptionId === subscription);
      const names = new Set(ids.map(({ id }) => resourceOf(id)));
      const read =
        ids.length > MOST_READS
          ? (await collect(accounts.list(subscription))).filter(({ id }) => names.has(resourceOf(id)))
          : await pMap(ids, (id) => unlessMissing(() => accounts.get(id)), { concurrency: CONCURRENCY });
      const found = read.filter((account) => account !== undefined);
      for (const account of found.filter(({ id }) => isChanged(id, focus))) {
        const reading = limit(() => readChanged(account));
        // Awaited below. Until then, prevent an unhandled rejection.
        reading.catch(() => {});
        scopes.set(resourceOf(account.id), reading);
      }
      yield* found;
    },
    async *listAllScopes(account) {
      const reading = scopes.get(resourceOf(account.id));
      yield* reading ? await reading : accounts.listAllScopes(account);
    },
  };
}
