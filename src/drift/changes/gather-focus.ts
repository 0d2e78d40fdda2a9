import pMap from 'p-map';
import type { Account } from '../../accounts/account.ts';
import { readUnlessMissing } from '../../azure/failure.ts';
import { CONCURRENCY } from '../../azure/limits.ts';
import { listUnread, readPart, type UnreadPart } from '../../azure/read-or-why.ts';
import { parseStorageAccountId, type ResourceId } from '../../azure/resource-id.ts';
import type { GraphResource } from '../../key-users/resource-graph-client.ts';
import { listUsesOfVault } from '../../key-users/resource-graph-query.ts';
import { parseKeyIdentifier } from '../../keys/key-identifier.ts';
import { KEY_CHECKS, VAULT_CHECKS } from '../checks/checks.ts';
import { evaluate } from '../checks/evaluate.ts';
import type { Rules } from '../checks/subjects.ts';
import { listPartsOfKeys } from '../gather/gather-keys.ts';
import { createContext, gatherSubscription } from '../gather/gather-subscription.ts';
import type { GatherServices } from '../gather/parts.ts';
import type { Finding } from '../report/report.ts';
import { type Focus, findContainingResource, isAbout, listOfKind } from './focus.ts';

/** Maximum number of accounts to read separately. Above it, the app lists the subscription. */
const MOST_READS = 20;

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
  // A change at a vault may be one of a role.
  if (listOfKind(focus, 'vault').length > 0) services.authorization.forgetRoles();

  const accounts = listOfKind(focus, 'account');
  const changed = new Set(accounts.flatMap((one) => (one.changed ? findContainingResource(one.id) : [])));
  const context = await createContext({
    rules,
    services,
    memory: await services.driftStorage.managedAccounts(),
    areScopesDue: ({ id }) => changed.has(findContainingResource(id)),
  });

  const { vaults, keys } = context;
  const wanted = accounts.flatMap(({ id }) => parseStorageAccountId(id) ?? []);
  const results = await pMap(
    Map.groupBy(wanted, ({ subscriptionId }) => subscriptionId),
    ([id, ids]) => gatherSubscription(id, context, readAccounts(id, ids, services)),
    // Limits memory: a key may have users in every subscription, and each list takes about a megabyte.
    { concurrency: CONCURRENCY },
  );

  const keyUsers = await pMap(
    listOfKind(focus, 'keyUser'),
    ({ id }) => {
      const what = { resource: id.id, what: 'a resource of another service', action: `${id.type}/read` };
      return readPart(what, () => services.keyUsers.get(id));
    },
    { concurrency: CONCURRENCY },
  );

  const usesOf = (resource: GraphResource) =>
    services.settings.vaults.all.flatMap((vault) =>
      [...listUsesOfVault(resource, vault)].map(([name, user]) => ({ uri: vault.uri, name, user })),
    );
  const named = keyUsers.flatMap((part) => ('value' in part && part.value ? usesOf(part.value) : []));
  const used = await pMap(named, async ({ uri, name, user }) => {
    const key = await keys.get(uri, name);
    return key ? [{ ...key, others: [user] }] : [];
  });
  const revoked = await pMap(listOfKind(focus, 'key'), async ({ id }) => {
    const { vaultUri = '', keyName = '' } = parseKeyIdentifier(id) ?? {};
    return (await keys.get(vaultUri, keyName)) ?? [];
  });
  const readKeys = [...revoked, ...used].flat();

  const ofVaults = await pMap(
    listOfKind(focus, 'vault'),
    async ({ vault, used }) => {
      const subject = (await vaults.get(vault.uri))?.subject;
      return subject ? evaluate(VAULT_CHECKS, { ...subject, used }, vault.id, rules) : [];
    },
    { concurrency: CONCURRENCY },
  );

  const found = [
    ...results.flatMap(({ findings }) => findings),
    ...readKeys.flatMap((key) => evaluate(KEY_CHECKS, key, key.key.id, rules)),
    ...ofVaults.flat(),
  ];

  const unread = [
    ...[...(await vaults.all()), ...results].flatMap((one) => one.unread),
    ...listUnread([...listPartsOfKeys(readKeys), ...keyUsers]),
  ];

  return {
    found: found.filter((finding) => isAbout(focus, finding)),
    unread: unread.filter(({ isOptional }) => !isOptional),
    stamps: new Map(results.flatMap(({ stamps }) => [...stamps])),
  };
}

/** Yields the given accounts of a subscription, without deleted accounts. */
async function* readAccounts(
  subscription: string,
  wanted: readonly ResourceId[],
  { accounts }: GatherServices,
): AsyncGenerator<Account> {
  if (wanted.length <= MOST_READS) {
    const read = await pMap(wanted, (id) => readUnlessMissing(() => accounts.get(id)), { concurrency: CONCURRENCY });
    yield* read.filter((account) => account !== undefined);
    return;
  }

  const names = new Set(wanted.map(({ id }) => findContainingResource(id)));
  for await (const account of accounts.list(subscription)) {
    if (names.has(findContainingResource(account.id))) yield account;
  }
}
