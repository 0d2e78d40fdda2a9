import pLimit from 'p-limit';
import { findAccountKeyUse, findScopeKeyUse, isUseOfKey, type KeyUse } from '../accounts/key-use.ts';
import { untilAborted } from '../azure/deadline.ts';
import { readUnlessMissing } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { formatScopeId, parseResourceId } from '../azure/resource-id.ts';
import type { UseRows } from '../index/use-row.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type BlastRadiusServices, readBlastRadius } from './blast-radius.ts';
import type { BlastRadius, OtherDependent } from './dependent.ts';
import { findKeyUserType } from './key-user-types.ts';
import { PartTracker } from './part-tracker.ts';
import type { DeletedAccounts } from './stored-data-client.ts';

/** The users of a key and their versions, as far as readable. */
export interface VersionUsers {
  readonly uses: readonly VersionUse[];
  /** Missing information, one sentence each; empty if complete. */
  readonly gaps: readonly string[];
}

export interface VersionUse {
  /** ARM id of an account, of an encryption scope or of another resource. */
  readonly who: string;
  /** Lower case: the pinned version and the version in use. */
  readonly versions: readonly string[];
}

export type VersionUsersServices = BlastRadiusServices & {
  readonly deletedAccounts: DeletedAccounts;
  /** Accounts in the fleet index are read too; undefined if the index is unavailable. */
  readonly useRows?: Pick<UseRows, 'of'> | undefined;
};

/**
 * Reads the users of a key and their versions. Finds the dependents, then reads each account again with its encryption
 * scopes. Never throws: a failed read and an unreported version become gaps. When the signal aborts, it returns
 * immediately, with the pending reads as gaps.
 */
export async function readVersionUsers(
  key: ManagedKey,
  services: VersionUsersServices,
  signal?: AbortSignal,
): Promise<VersionUsers> {
  const { settings, subscriptions, accounts, deletedAccounts } = services;
  const radius = await readBlastRadius(key, services, signal);
  const uses: VersionUse[] = [];
  const gaps: string[] = radius.outOfSight === undefined ? [] : [radius.outOfSight];

  for (const other of radius.otherResources) {
    gaps.push(...listGaps(other));
    uses.push({ who: other.id, versions: other.uses.flatMap(({ version }) => version ?? []) });
  }

  const add = (who: string, use: KeyUse | undefined): void => {
    if (!isUseOfKey(use, key)) return;
    const { pinned, current } = use;
    // Azure does not return the version in use.
    if (current === undefined) gaps.push(`${who} does not show the version in use.`);
    uses.push({ who, versions: [...new Set([pinned, current].flatMap((version) => version ?? []))] });
  };

  const parts = new PartTracker(signal);
  const limit = pLimit(CONCURRENCY);

  const readAccount = async (id: string): Promise<void> => {
    signal?.throwIfAborted();
    const account = parseResourceId(id);
    if (!account) throw new TypeError(`${id} is not an ARM id.`);
    add(id, findAccountKeyUse((await accounts.get(account)).encryption));
    for await (const scope of accounts.listScopes(account, signal)) {
      add(formatScopeId(id, scope.name), findScopeKeyUse(scope));
    }
  };

  const readOne = (id: string): Promise<void> => parts.read(id, 'Unreadable', () => limit(() => readAccount(id)));
  const reading = [
    ...radius.accounts.map(({ id }) => readOne(id)),
    parts.read('the fleet index', 'FleetIndexUnavailable', async () => {
      // An account that no longer exists is ignored. The other lists contain deleted and moved accounts.
      const known = await knownBefore(key, radius, services);
      await Promise.all(
        known.map((id) => parts.read(id, 'Unreadable', () => readUnlessMissing(() => limit(() => readAccount(id))))),
      );
    }),
    parts.read('deleted storage accounts', 'SubscriptionUnreadable', async () => {
      for (const subscription of settings.subscriptions ?? (await subscriptions.list())) {
        for await (const id of deletedAccounts.deleted(subscription, signal)) {
          gaps.push(`${id} is deleted, and needs its key if an operator recovers it.`);
        }
      }
    }),
  ];

  await untilAborted(Promise.all(reading), signal);

  const unread = [...radius.unread, ...parts.missing()].map(({ what, detail }) => `${what}: ${detail}`);

  // Copies, because late reads may still add entries.
  return { uses: [...uses], gaps: [...gaps, ...unread] };
}

/** Missing information about a resource, by its type and by the versions that it names. */
export function listGaps({ id, type, known, uses }: OtherDependent): string[] {
  const entry = findKeyUserType(type);
  const gaps: string[] = [];

  if (entry?.holdsOldVersions !== undefined) gaps.push(`${id} ${entry.holdsOldVersions}`);
  else if (entry?.hidesVersion) gaps.push(`${id} does not show the version in use.`);
  else if (!known) gaps.push(`${id} names the key, and the app does not know its purpose.`);

  // Its service switches to a new version at an unknown time.
  if (uses.some(({ version }) => version === undefined)) gaps.push(`${id} uses the key without naming a version.`);

  return gaps;
}

/** Accounts that use the key according to the index, but are missing from the lists. */
async function knownBefore(
  key: ManagedKey,
  { accounts }: BlastRadius,
  { useRows }: VersionUsersServices,
): Promise<string[]> {
  if (!useRows) return [];

  const corrupt = (row: string): never => {
    throw new TypeError(`The app cannot read an entry of the fleet index: ${row}`);
  };
  const rows = await Array.fromAsync(useRows.of(key.id, undefined, corrupt));
  const known = new Map(rows.map(({ account }) => [account.toLowerCase(), account]));
  for (const { id } of accounts) known.delete(id.toLowerCase());

  return [...known.values()];
}
