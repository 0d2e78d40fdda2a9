import pMap from 'p-map';
import { abortAfter } from '../azure/deadline.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { sameKeyName } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { DAY_MS, hasBeenSince } from '../time/spans.ts';
import type { Cause } from '../work/messages.ts';
import type { FleetIndex } from './fleet-index.ts';
import { accountId, accountRow } from './fleet-keys.ts';
import type { UseRow } from './use-row.ts';
import type { NewWorkItem } from './work-items.ts';

/** With more missing accounts than this, a subscription is listed instead. */
const MOST_ACCOUNTS = 50;

/** Resource Graph may lag behind: an account that was read within this time is not looked up in it. Milliseconds. */
const READ_MS = 10 * 60_000;

/** Deadline for Resource Graph, which rarely knows more than the index. Milliseconds. */
const GRAPH_MS = 5_000;

/** An account that uses a key itself, as Resource Graph shows it. */
export interface AccountOfKey {
  /** ARM id. */
  readonly id: string;
  readonly location: string;
  /** Its tag `cmk-wave`. */
  readonly wave?: string;
  /** Versions; absent: not shown. */
  readonly seen?: { readonly pinned?: string | undefined; readonly current?: string | undefined };
}

/** Accounts of all visible subscriptions, usually seconds behind. Errors are the SDK's. */
export interface AccountsOfKey {
  using(key: ManagedKey, signal?: AbortSignal): AsyncIterable<AccountOfKey>;
}

export interface UnindexedPorts {
  readonly accountsOfKey: AccountsOfKey;
  /** Ids of the subscriptions that the app manages. Errors are the SDK's. */
  subscriptions(): Promise<readonly string[]>;
  readonly fleet: Pick<FleetIndex, 'listings' | 'accounts'>;
  readonly now: () => Date;
  readonly log: Log;
}

/** What the index lacks. */
export interface Unindexed {
  /** Whether no rollout may be decided: a subscription was never listed, and Resource Graph did not answer. */
  readonly isUnknown: boolean;
  /** Whether Resource Graph answered; without it accounts that are newer than the index are not known. */
  readonly isComplete: boolean;
  /** Missing uses as pending rows: they count in the decision on a stage, and are moved once they are indexed. */
  readonly rows: readonly UseRow[];
  /** Work that brings them into the index. */
  readonly items: readonly NewWorkItem[];
}

/** Finds accounts that use a key and that the index lacks. The returned function compares, once the index is read. */
export async function findUnindexed(key: ManagedKey, cause: Cause, ports: UnindexedPorts) {
  const [found, looked, listings] = await Promise.all([
    accountsOf(key, ports),
    ports.subscriptions(),
    ports.fleet.listings(),
  ]);
  const at = ports.now();
  const unlisted = looked.filter((id) => !hasBeenSince(listings.get(id), at.getTime() - DAY_MS, at));
  /** @param indexed row names of the accounts whose own use the index has */
  return async (indexed: ReadonlySet<string>): Promise<Unindexed> => {
    const missing = (found ?? []).filter(({ id }) => {
      const account = parseStorageAccountId(id);
      return account && looked.includes(account.subscriptionId) && !indexed.has(accountRow(id));
    });
    const bySubscription = Map.groupBy(missing, ({ id }) => accountId(id).subscriptionId);
    const many = [...bySubscription].flatMap(([id, accounts]) => (accounts.length > MOST_ACCOUNTS ? [id] : []));
    const listed = new Set([...unlisted, ...many]);
    const elsewhere = await findElsewhere(key, [...bySubscription.keys()], unlisted, listings, ports);
    const item = { due: at, since: at, cause };
    return {
      isUnknown: found === undefined && looked.some((id) => !listings.has(id)),
      isComplete: found !== undefined,
      rows: missing.filter(({ id }) => !elsewhere.has(accountRow(id))).map((account) => toRow(account, key, at)),
      items: [
        ...[...listed].map((subscription) => ({ ...item, subscription, kind: 'list' as const, about: '' })),
        ...missing.flatMap(({ id }) => {
          const { subscriptionId: subscription } = accountId(id);
          // `fresh` writes the account's row, so that `findElsewhere` sees when it was read.
          const one = { ...item, subscription, kind: 'account' as const, about: id, fresh: true };
          return listed.has(subscription) ? [] : [one];
        }),
      ],
    };
  };
}

/** Row names of accounts that were read recently and were not on the key then. */
async function findElsewhere(
  key: ManagedKey,
  subscriptions: readonly string[],
  unlisted: readonly string[],
  listings: ReadonlyMap<string, Date>,
  { fleet, now }: UnindexedPorts,
): Promise<ReadonlySet<string>> {
  const elsewhere = new Set<string>();
  const sinceMs = now().getTime() - READ_MS;
  const scan = async (subscription: string): Promise<void> => {
    const listedMs = listings.get(subscription.toLowerCase())?.getTime() ?? 0;
    for await (const known of fleet.accounts(subscription)) {
      const isOnKey = known.key !== undefined && sameKeyName(known.key, key.id);
      if (!isOnKey && Math.max(listedMs, Date.parse(known.writtenOn)) >= sinceMs)
        elsewhere.add(accountRow(known.account));
    }
  };
  // The others are listed now anyway, which must not wait for their scans.
  const listed = subscriptions.filter((id) => !unlisted.includes(id));
  await pMap(listed, scan, { concurrency: CONCURRENCY });
  return elsewhere;
}

/** Undefined: Resource Graph did not answer. */
async function accountsOf(
  key: ManagedKey,
  { accountsOfKey, log }: UnindexedPorts,
): Promise<readonly AccountOfKey[] | undefined> {
  const read = async (signal: AbortSignal): Promise<AccountOfKey[]> => {
    const accounts: AccountOfKey[] = [];
    for await (const account of accountsOfKey.using(key, signal)) accounts.push(account);
    return accounts;
  };
  try {
    return await abortAfter(read, GRAPH_MS);
  } catch (error) {
    const message = `${REASONS.NewerAccountsUnknown} ${describe(describeFailure(error))}`;
    log({ level: 'warning', reason: 'NewerAccountsUnknown', message, key: key.id });
    return undefined;
  }
}

function toRow({ id, location, wave, seen = {} }: AccountOfKey, key: ManagedKey, at: Date): UseRow {
  const { pinned, current } = seen;
  return {
    ...{ key: key.id, account: id, location, mode: pinned === undefined ? 'automatic' : 'pinned' },
    ...(pinned === undefined ? {} : { pinned }),
    ...(current === undefined ? {} : { current }),
    ...(wave === undefined ? {} : { wave }),
    ...{ state: 'pending', readOn: at.toISOString(), at: at.toISOString(), attempts: 0 },
  };
}
