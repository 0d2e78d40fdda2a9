import pLimit from 'p-limit';
import { untilAborted } from '../azure/deadline.ts';
import { unlessMissing } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { parseResourceId, scopeResource } from '../azure/resource-id.ts';
import { accountKeyUse, type KeyUse, scopeKeyUse, usesKey } from '../fleet/key-use.ts';
import type { UseRows } from '../fleet/use-row.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { type BlastRadius, type BlastRadiusServices, readBlastRadius } from './blast-radius.ts';
import type { OtherDependent } from './dependent.ts';
import { Parts } from './gathering.ts';
import type { DeletedAccounts } from './stored-data-client.ts';

/** Who uses which version of a key, as far as it could be read. */
export interface VersionUsers {
  readonly uses: readonly VersionUse[];
  /** What is not known, one sentence each; empty: everything is. */
  readonly gaps: readonly string[];
}

export interface VersionUse {
  /** ARM id of an account, of an encryption scope or of another resource. */
  readonly who: string;
  /** Lower case: the version it is held at, and the one that it shows to be in use. */
  readonly versions: readonly string[];
}

export type VersionUsersServices = BlastRadiusServices & {
  readonly deletedAccounts: DeletedAccounts;
  /** Whom it knows is read as well; undefined: it is not at hand. */
  readonly useRows?: Pick<UseRows, 'of'> | undefined;
};

/**
 * Types that may need a version that they no longer name, and why, by each service's page on customer-managed keys. For these
 * a quiet log does not prove that a version is unused.
 */
const HOLDS_OLD: readonly (readonly [type: RegExp, why: string])[] = [
  [/^microsoft\.(?:sql|dbforpostgresql|dbformysql|documentdb)\//i, 'may have backups that need an old version.'],
  [
    /^microsoft\.(?:recoveryservices\/vaults|dataprotection\/backupvaults)$/i,
    'may have recovery points that need an old version, which Azure asks for when a backup runs or is restored.',
  ],
  [
    /^microsoft\.synapse\/workspaces$/i,
    'needs an old version until it has re-encrypted all of its data, and does not show when that is.',
  ],
  [
    /^microsoft\.containerservice\/managedclusters$/i,
    'may have Kubernetes secrets that are still encrypted with an old version.',
  ],
  [
    /^microsoft\.(?:cognitiveservices\/accounts|automation\/automationaccounts|databricks\/workspaces)$/i,
    'does not re-encrypt its data when its key changes, and may need an old version.',
  ],
];

/**
 * Who uses which version of a key: everything that depends on it is found, and each account is read once more by itself,
 * with its encryption scopes. It never throws: what could not be read, or does not show its version, is a gap. When the signal aborts
 * it returns at once, with what was under way among the gaps.
 */
export async function readVersionUsers(
  key: ManagedKey,
  services: VersionUsersServices,
  signal?: AbortSignal,
): Promise<VersionUsers> {
  const radius = await readBlastRadius(key, services, signal ? { signal } : {});
  const uses: VersionUse[] = [];
  const gaps: string[] = radius.outOfSight === undefined ? [] : [radius.outOfSight];
  for (const other of radius.otherResources) {
    const { id, uses: named } = other;
    gaps.push(...gapsOfType(other));
    const versions = named.flatMap(({ version }) => version ?? []);
    // Its version is not shown, and its service moves at a time of its own.
    if (versions.length < named.length) gaps.push(`${id} uses the key without naming a version.`);
    uses.push({ who: id, versions });
  }

  const add = (who: string, use: KeyUse | undefined): void => {
    if (!usesKey(use, key)) return;
    const { pinned, current } = use;
    // Azure does not say where it stands.
    if (current === undefined) gaps.push(`${who} does not show the version in use.`);
    uses.push({ who, versions: [...new Set([pinned, current].flatMap((version) => version ?? []))] });
  };
  const parts = new Parts(signal);
  const limit = pLimit(CONCURRENCY);
  const readAccount = async (id: string): Promise<void> => {
    signal?.throwIfAborted();
    const account = parseResourceId(id);
    if (!account) throw new TypeError(`${id} is not an ARM id.`);
    add(id, accountKeyUse((await services.accounts.get(account)).encryption));
    for await (const scope of services.accounts.listScopes(account, signal)) {
      add(scopeResource(id, scope.name), scopeKeyUse(scope));
    }
  };
  const readOne = (id: string): Promise<void> => parts.read(id, 'Unreadable', () => limit(() => readAccount(id)));
  const reading = [
    ...radius.accounts.map(({ id }) => readOne(id)),
    parts.read('the fleet index', 'FleetIndexUnavailable', async () => {
      // One that is not there is gone, or among the deleted ones; one that was moved stands in a list by its new id.
      const known = await knownBefore(key, radius, services);
      await Promise.all(
        known.map((id) => parts.read(id, 'Unreadable', () => unlessMissing(() => limit(() => readAccount(id))))),
      );
    }),
    parts.read('deleted storage accounts', 'SubscriptionUnreadable', async () => {
      for await (const id of deletedOnes(services, signal))
        gaps.push(`${id} is deleted, and needs its key if recovered.`);
    }),
  ];
  await untilAborted(Promise.all(reading), signal);

  const unread = [...radius.unread, ...parts.missing()].map(({ what, detail }) => `${what}: ${detail}`);
  // Copies: what is late goes on adding.
  return { uses: [...uses], gaps: [...gaps, ...unread] };
}

/** What is not known of a resource of that type, whichever version it names. */
function gapsOfType({ id, type, known }: OtherDependent): string[] {
  const [, why] = HOLDS_OLD.find(([holding]) => holding.test(type)) ?? [];
  if (why !== undefined) return [`${id} ${why}`];
  if (/^microsoft\.fileshares\//i.test(type)) return [`${id} does not show the version in use.`];
  return known ? [] : [`${id} names the key, and the app does not know what for.`];
}

/** Accounts that the index has on the key and no list has shown. */
async function knownBefore(
  key: ManagedKey,
  { accounts }: BlastRadius,
  { useRows }: VersionUsersServices,
): Promise<string[]> {
  const shown = new Set(accounts.map(({ id }) => id.toLowerCase()));
  const known = new Map<string, string>();
  if (!useRows) return [];
  const corrupt = (row: string): never => {
    throw new TypeError(`An entry cannot be read: ${row}`);
  };
  for await (const { account } of useRows.of(key.id, undefined, corrupt)) {
    if (!shown.has(account.toLowerCase())) known.set(account.toLowerCase(), account);
  }
  return [...known.values()];
}

async function* deletedOnes(
  { settings, subscriptions, deletedAccounts }: VersionUsersServices,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, undefined> {
  for (const id of settings.subscriptions ?? (await subscriptions.list())) yield* deletedAccounts.deleted(id, signal);
}
