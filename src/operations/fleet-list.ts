import pMap from 'p-map';
import type { TokenCredential } from '../azure/credential.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { known } from '../azure/read-or-why.ts';
import type { AccountSubject, KeySubject } from '../drift/checks/subjects.ts';
import type { SinceEvidence } from '../drift/finding-since.ts';
import type { Account, Scope } from '../fleet/account.ts';
import { type FleetFilter, type HealthFilter, matchesFilter, matchesHealth } from '../fleet/fleet-filter.ts';
import { causeLabel, type FleetSummary, summarizeFleet } from '../fleet/fleet-summary.ts';
import type { Health, HealthCause } from '../fleet/health.ts';
import type { HealthState } from '../fleet/health-states.ts';
import { accountKeyUse, type KeyUse } from '../fleet/key-use.ts';
import { planKeyUse } from '../fleet/plan.ts';
import { hasNoScopes } from '../fleet/storage-client.ts';
import { formatKeyIdentifier } from '../keys/key-identifier.ts';
import type { Reason } from '../reasons.ts';
import { count } from '../text.ts';
import { appVaults } from './app-vaults.ts';
import { FleetLook } from './fleet-look.ts';
import type { Operation } from './operator-azure.ts';
import { type Reported, readReported } from './reported-findings.ts';

/** Subscriptions, keys and accounts that are read at the same time. */
const CONCURRENCY = 8;

/** One use of a key, or an account without one. */
export interface FleetRow {
  /** ARM id. */
  readonly account: string;
  readonly name: string;
  /** Encryption scope; undefined for the account itself. */
  readonly scope: string | undefined;
  readonly subscription: string;
  readonly resourceGroup: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly region: string;
  /** Key identifier without a version; undefined with Microsoft-managed keys. */
  readonly key: string | undefined;
  readonly mode: 'pinned' | 'automatic' | undefined;
  readonly version: string | undefined;
  /** What the app would do about it, as a reason code. */
  readonly state: Reason;
  readonly health: HealthState;
  /** Why, unless it serves. */
  readonly cause?: HealthCause & { readonly label: string };
  /** Since when it stands so, as far as that is known (ISO 8601). */
  readonly since?: string;
}

export interface Fleet {
  /** Of the accounts that are listed, how ever they stand; scopes do not count. */
  readonly summary: FleetSummary;
  readonly rows: readonly FleetRow[];
  /** What could not be read, one sentence each. */
  readonly unread: readonly string[];
  /** Why it is not known since when some of them do not serve, in one sentence; absent: it is known of all of them. */
  readonly sinceUnknown?: string;
}

interface FleetOptions {
  readonly subscription?: string | undefined;
  readonly scopes: boolean;
  /** Accounts too that use no key and are not missed for it. */
  readonly all: boolean;
  readonly filter?: FleetFilter;
  readonly health?: HealthFilter;
}

/**
 * Every account that the sign-in sees, with its key and how it stands. Changes nothing.
 *
 * @param credential for the app's storage or its API, which remember since when, where the environment names one
 */
export async function listFleet(
  options: FleetOptions,
  { azure, journal, environment = {} }: Operation,
  credential?: () => TokenCredential,
): Promise<Fleet> {
  const { subscription, filter = {}, health = {} } = options;
  const unread: string[] = [];
  const reading = readReported(environment, azure, credential);
  const accounts = await listAccounts(subscription, azure, unread);
  const look = new FleetLook(azure, appVaults(environment, azure.cloud), unread);
  const subjects: AccountSubject[] = [];
  await pMap(
    // Before anything more is asked about it.
    accounts.filter((account) => options.scopes || matchesFilter(filteredAccount(account), filter)),
    async (account) => {
      const scopes = options.scopes ? await listScopes(account, azure, unread) : [];
      subjects.push(await look.subject(account, scopes));
      if (subjects.length % 100 === 0) journal.waiting(`${subjects.length} of ${accounts.length} accounts`);
    },
    { concurrency: CONCURRENCY },
  );
  const unreadKeys = (await look.keys()).flatMap(unreadVersions);
  const wantedBy = (found: SinceEvidence['reported']): FleetRow[] =>
    rowsOf(subjects, options.all, look, found, azure.now()).filter((row) => matchesFilter(row, filter));
  const undated = wantedBy(() => []);
  // Where nothing is missed, nobody waits for it.
  const reported = undated.some(isDateless) ? await reading : undefined;
  const wanted = reported && 'findings' in reported ? wantedBy((of) => reported.findings.of(of)) : undated;
  const place = ({ name, scope }: FleetRow): string => `${name} ${scope ?? ''}`;
  const rows = wanted
    .filter((row) => matchesHealth(healthIn(row), health))
    .sort((a, b) => (place(a) < place(b) ? -1 : 1));
  return {
    summary: summarizeFleet(wanted.filter(({ scope }) => scope === undefined).map(healthIn)),
    rows,
    unread: [...unread, ...unreadKeys],
    ...sinceUnknownOf(rows, reported),
  };
}

function rowsOf(
  subjects: readonly AccountSubject[],
  all: boolean,
  look: FleetLook,
  found: SinceEvidence['reported'],
  now: Date,
): FleetRow[] {
  return subjects.flatMap((subject) => {
    const own = rowOf(subject, undefined, look.ofAccount(subject, found), now);
    const scopes = subject.scopes.map((scope) =>
      rowOf(subject, scope, look.ofScope(subject, scope.scope.name, found), now),
    );
    return subject.use || own.cause || all ? [own, ...scopes] : scopes;
  });
}

function isDateless({ cause, since }: FleetRow): boolean {
  return cause !== undefined && since === undefined;
}

function sinceUnknownOf(rows: readonly FleetRow[], reported: Reported | undefined): Pick<Fleet, 'sinceUnknown'> {
  // What this sign-in cannot read is not what the app could not: of that nobody expects a date.
  const dateless = rows.filter((row) => isDateless(row) && row.health !== 'Unknown');
  if (dateless.length === 0 || !reported) return {};
  const accounts = count(new Set(dateless.map(({ account }) => account)).size, 'account');
  const why =
    'unread' in reported
      ? reported.unread.replace(/\.$/, '')
      : `the newest drift check, which began on ${reported.startedOn}, did not find it`;
  return { sinceUnknown: `Since when is not known of ${accounts}: ${why}.` };
}

async function listAccounts(
  subscription: string | undefined,
  azure: Operation['azure'],
  unread: string[],
): Promise<Account[]> {
  const subscriptions = subscription ? [subscription] : await azure.subscriptions.list();
  if (subscriptions.length === 0) {
    unread.push(
      'Your sign-in sees no subscription: ask for Reader on one, or see by `cmk doctor` who is signed in where.',
    );
  }
  const accounts: Account[] = [];
  await pMap(
    subscriptions,
    async (id) => {
      try {
        for await (const account of azure.accounts.list(id)) accounts.push(account);
      } catch (error) {
        unread.push(`The accounts of subscription ${id} cannot be listed: ${describe(describeFailure(error))}`);
      }
    },
    { concurrency: CONCURRENCY },
  );
  return accounts;
}

async function listScopes(account: Account, azure: Operation['azure'], unread: string[]): Promise<Scope[]> {
  const scopes: Scope[] = [];
  try {
    for await (const scope of azure.accounts.listScopes(account)) scopes.push(scope);
  } catch (error) {
    const failure = describeFailure(error);
    if (!hasNoScopes(failure)) {
      unread.push(`The encryption scopes of ${account.name} cannot be listed: ${describe(failure)}`);
    }
  }
  return scopes;
}

function filteredAccount(account: Account) {
  const { subscriptionId: subscription, resourceGroup, tags } = account;
  const use = accountKeyUse(account.encryption);
  return { subscription, resourceGroup, tags, key: use && formatKeyIdentifier(use) };
}

function rowOf(
  { account, ...own }: AccountSubject,
  scope: AccountSubject['scopes'][number] | undefined,
  { state: health, cause, since }: Health,
  now: Date,
): FleetRow {
  const { use, key } = scope ?? own;
  const { id, name, subscriptionId: subscription, resourceGroup, tags, location: region } = account;
  const about = { account: id, name, scope: scope?.scope.name, subscription, resourceGroup, tags, region };
  const because = {
    ...(cause ? { cause: { ...cause, label: causeLabel(cause) } } : {}),
    ...(since ? { since } : {}),
  };
  if (!use) {
    const none = { key: undefined, mode: undefined, version: undefined, state: 'NotCustomerManaged' as const };
    return { ...about, ...none, health, ...because };
  }
  const mode = use.pinned === undefined ? 'automatic' : 'pinned';
  const state = stateOf(use, key, now);
  return {
    ...about,
    key: formatKeyIdentifier(use),
    mode,
    version: use.current ?? use.pinned,
    state,
    health,
    ...because,
  };
}

function stateOf(use: KeyUse, key: KeySubject | undefined, now: Date): Reason {
  if (!key) return 'UnmanagedVault';
  const versions = known(key.versions);
  return versions ? planKeyUse(use, versions, now, { refreshAutomatic: false }).reason : 'VaultUnreadable';
}

function unreadVersions({ key, versions }: KeySubject): string[] {
  return 'unread' in versions ? [`The versions of ${key.id} cannot be read: ${versions.unread.detail}`] : [];
}

function healthIn({ health: state, cause, since }: FleetRow): Health {
  return { state, ...(cause ? { cause } : {}), ...(since ? { since } : {}) };
}
