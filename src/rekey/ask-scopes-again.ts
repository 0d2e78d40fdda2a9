import pMap from 'p-map';
import { accountPlace, type Dependent } from '../accounts/dependent.ts';
import type { InSight } from '../accounts/in-sight.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import { parseStorageAccountId, type ResourceId } from '../azure/resource-id.ts';
import type { FleetAccount, FleetIndex } from '../fleet/fleet-index.ts';
import { scopeKeyUse, usesKey } from '../fleet/key-use.ts';
import type { RekeyList } from '../fleet/rekey-marks.ts';
import type { RekeyOrder, RekeyStore } from '../fleet/rekey-order.ts';
import { sameKeyName } from '../keys/key-identifier.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import { hasBeenSince } from '../time/has-been-since.ts';
import { CLOCKS_MS, DAY_MS } from '../time/spans.ts';
import { LeftOut } from './left-out.ts';
import { type ListerServices, ScopeLister } from './scope-lister.ts';

const UNKNOWN =
  'Which encryption scopes are known to use the old key could not be read: the fleet index is out of reach.';

/** What was listed for an order and found on another key counts for so long, where not all can be listed at once. */
const COUNTS_MS = DAY_MS;
const CONCURRENCY = 8;

interface AskAgainServices extends ListerServices {
  readonly rekeys: Pick<RekeyStore, 'subjects' | 'listed' | 'noteListed'>;
  readonly fleet: FleetIndex;
  readonly inSight: InSight;
  readonly settings: Pick<Settings, 'scopeDiscovery'>;
  /** Whether what was found hangs on the index; otherwise everybody was asked already. */
  readonly isIndexed: boolean;
}

interface AskedAgain {
  /** What could not be read, one sentence each. */
  readonly gaps: readonly string[];
  /** The accounts among them that were not listed yet, as Azure takes no more lists for now. */
  readonly unlisted: number;
}

interface Scoped {
  readonly id: ResourceId;
  readonly location: string;
}

interface OwnAccount extends Scoped {
  /** When the order last wrote of it (ISO 8601). */
  readonly at: string;
  /** Nobody is sent to it any more, until a person has seen to it. */
  readonly hasFailed: boolean;
}

export function notAsked(account: string): string {
  return `The encryption scopes of ${account} were not asked for yet.`;
}

/**
 * Asks accounts for their scopes whatever the index has as users of the key: those of which the order has had to do with a
 * scope, and those that are kept with one that uses it. The rows of a key and those of accounts are written apart, and either
 * may be lost or spoilt. Azure takes few lists: where there are more accounts in one place, each look lists those that were
 * never listed or that were listed longest ago, and the order keeps what it has seen.
 *
 * @param found those that use the key
 */
export async function askScopesAgain(
  order: RekeyOrder,
  key: ManagedKey,
  subscriptions: readonly string[],
  services: AskAgainServices,
  found: Map<string, Dependent>,
): Promise<AskedAgain> {
  const { rekeys, now } = services;
  const { gaps, scoped, asked } = await knownScoped(key, subscriptions, services);
  for (const [account, own] of await ownAccounts(order, services, scoped)) {
    if (!asked.has(account)) scoped.set(account, own);
  }
  const before = await rekeys.listed(order.id);
  const oldestFirst = [...scoped].sort(([a], [b]) => byAge(before.get(a), before.get(b), now()));
  // While it was paused, people may have put scopes back: it is the way to do that.
  const resumedMs = order.resumedOn ? Date.parse(order.resumedOn) + CLOCKS_MS : 0;
  const listed = new Map<string, RekeyList>();
  const unlisted = new Map<string, number>();
  const lister = new ScopeLister(services);
  const leave = (account: string, { id, location }: Scoped): void => {
    const last = before.get(account);
    const counts = hasBeenSince(last?.on, Math.max(now().getTime() - COUNTS_MS, resumedMs), now());
    if (counts && last?.refused) gaps.push(`The encryption scopes of ${id.id} could not be listed.`);
    if (counts) return;
    const place = `${location} of subscription ${id.subscriptionId}`;
    unlisted.set(place, (unlisted.get(place) ?? 0) + 1);
  };
  const ask = async ([account, of]: readonly [string, Scoped]): Promise<void> => {
    const { id, location } = of;
    const on = now();
    if (!lister.hasTurn(id, location)) return leave(account, of);
    const last = before.get(account);
    // Should the process die before it can note what this list shows, the one before does not count any more.
    if (last) await rekeys.noteListed(order.id, new Map([[account, { on: '' }]]));
    try {
      const scopes = await lister.list(id, location);
      if (!scopes) {
        if (last) listed.set(account, last);
        return leave(account, of);
      }
      const isOnKey = scopes.some((scope) => usesKey(scopeKeyUse(scope), key));
      if (isOnKey) found.set(account, { id: id.id, subscriptionId: id.subscriptionId, location });
      listed.set(account, { on: isOnKey ? '' : on.toISOString() });
    } catch (error) {
      // Behind all others: those that refuse would have all the turns of each look.
      listed.set(account, { on: on.toISOString(), refused: true });
      gaps.push(`The encryption scopes of ${id.id} cannot be listed: ${describe(describeFailure(error))}`);
    }
  };
  await pMap(oldestFirst, ask, { concurrency: CONCURRENCY });
  // What can all be listed at once is never remembered: it is listed at each look.
  if (unlisted.size > 0 || before.size > 0) await rekeys.noteListed(order.id, listed);
  return {
    gaps: [...sentencesOf(unlisted), ...gaps],
    unlisted: [...unlisted.values()].reduce((sum, count) => sum + count, 0),
  };
}

/** By place. */
function sentencesOf(unlisted: ReadonlyMap<string, number>): string[] {
  return [...unlisted].map(([place, count]) => {
    const accounts = count === 1 ? '1 account' : `${count} accounts`;
    return `The encryption scopes of ${accounts} in ${place} are still to be listed, as fast as Azure takes lists there.`;
  });
}

/**
 * The accounts that the order has had to do with, by ARM id in lower case, as far as it knows of no scope: where lists are used
 * up an account moves, and its scopes wait. Whoever is lost then is not missed by anybody else.
 *
 * @param scoped gets the others
 */
export async function ownAccounts(
  order: RekeyOrder,
  { rekeys, inSight }: Pick<AskAgainServices, 'rekeys' | 'inSight'>,
  scoped = new Map<string, Scoped>(),
): Promise<ReadonlyMap<string, OwnAccount>> {
  const leftOut = new LeftOut(await inSight());
  const own = new Map<string, OwnAccount>();
  for await (const { account, scope, location, state, at, failure } of rekeys.subjects(order.id)) {
    const id = parseStorageAccountId(account);
    if (!id || leftOut.has({ account })) continue;
    if (scope !== undefined) scoped.set(id.id.toLowerCase(), { id, location });
    else if (state !== 'gone') own.set(id.id.toLowerCase(), { id, location, at, hasFailed: failure !== undefined });
  }
  for (const account of scoped.keys()) own.delete(account);
  return own;
}

/** What was never listed comes first, and what says to have been at a time that is still to come. */
function byAge(a: RekeyList | undefined, b: RekeyList | undefined, now: Date): number {
  const [first = '', second = ''] = [a, b].map((list) => (hasBeenSince(list?.on, 0, now) ? list?.on : ''));
  return first < second ? -1 : Number(first > second);
}

interface KnownScoped {
  readonly gaps: string[];
  /** By ARM id in lower case. */
  readonly scoped: Map<string, Scoped>;
  /** The accounts that were asked for their scopes, by whomever, likewise. */
  readonly asked: ReadonlySet<string>;
}

/** The accounts that are kept with a scope that uses the key. Those that were never asked, and that nobody asks, are to be. */
async function knownScoped(
  key: ManagedKey,
  subscriptions: readonly string[],
  { fleet, settings, isIndexed }: AskAgainServices,
): Promise<KnownScoped> {
  const scoped: KnownScoped['scoped'] = new Map();
  const asked = new Set<string>();
  const never: FleetAccount[] = [];
  if (!isIndexed) return { gaps: [], scoped, asked };
  try {
    for (const subscription of subscriptions) {
      for await (const account of fleet.accounts(subscription)) {
        const id = parseStorageAccountId(account.account);
        if (!id) continue;
        if (account.scopeUses.some((use) => sameKeyName(use.key, key.id))) {
          scoped.set(id.id.toLowerCase(), { id, location: account.location });
        }
        if (account.scopes !== undefined) asked.add(id.id.toLowerCase());
        else if (settings.scopeDiscovery === 'all') never.push(account);
      }
    }
    return { gaps: await askAnew(never, fleet), scoped, asked };
  } catch {
    return { gaps: [UNKNOWN], scoped, asked };
  }
}

/** Nobody is sent to an account whose row among those that were never asked is lost: the next step finds it there again. */
async function askAnew(never: readonly FleetAccount[], fleet: FleetIndex): Promise<string[]> {
  if (never.length === 0) return [];
  const places = new Set<string>();
  for await (const { account } of fleet.unasked()) places.add(accountPlace(account));
  const lost = never.filter(({ account }) => !places.has(accountPlace(account)));
  await fleet.write(
    lost.map(({ account, location, key }) => ({
      put: 'unasked',
      account: { account, location, ...(key ? { key } : {}) },
    })),
  );
  return lost.map(({ account }) => notAsked(account));
}
