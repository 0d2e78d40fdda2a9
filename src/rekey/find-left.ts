import { askLater } from '../accounts/ask-later.ts';
import {
  allLookedAfter,
  type Dependent,
  type DiscoveryServices,
  type SearchedSubscriptions,
} from '../accounts/dependent.ts';
import { type Discovered, discoverDependents } from '../accounts/discovery.ts';
import type { InSight } from '../accounts/in-sight.ts';
import type { UnreadableScopes } from '../accounts/inventory.ts';
import type { Rows } from '../accounts/rekey-rows.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { LOST_MS } from '../accounts/unasked.ts';
import { describe } from '../azure/failure.ts';
import { parseResourceId } from '../azure/resource-id.ts';
import type { PacedPlace, Turns } from '../azure/turns.ts';
import type { RekeyOrder, RekeyStore } from '../fleet/rekey-order.ts';
import type { Keys } from '../keys/key-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { Settings } from '../settings/settings.ts';
import { hasBeenSince } from '../time/has-been-since.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { askScopesAgain, notAsked, ownAccounts } from './ask-scopes-again.ts';
import { LeftOut } from './left-out.ts';
import { causeOf } from './start-rekey.ts';
import { firstOf } from './waves.ts';

export type FindLeftServices = DiscoveryServices & {
  readonly settings: Settings;
  readonly keys: Keys;
  readonly subscriptions: Subscriptions;
  readonly inSight: InSight;
  readonly rekeys: Pick<RekeyStore, 'subjects' | 'listed' | 'noteListed'>;
  readonly queue: Pick<WorkQueue, 'send'>;
  readonly schedule: Turns;
};

/**
 * Whoever uses the key, by all that is known, and is not known to fail, as far as it is their turn by the tag `cmk-wave`; those
 * first that were begun.
 */
export async function stillOn(
  order: RekeyOrder,
  key: ManagedKey,
  { open, failed }: Rows,
  services: FindLeftServices,
  log: Log,
): Promise<readonly Dependent[]> {
  const left = new Map(open);
  const found = (dependent: Dependent): void => {
    const account = dependent.id.toLowerCase();
    // What was begun may be about a scope: it is asked for its scopes, whatever is known of them.
    if (!failed.has(account) && !left.has(account)) left.set(account, dependent);
  };
  await discover(order, key, await allLookedAfter(services), found, services, log);
  // What was not known before is written down by now, with its tags.
  const waves = await wavesOf(key, services);
  return firstOf([...left.values()], ({ id }) => waves.get(id.toLowerCase()));
}

/** The order is a matter of getting there: where it cannot be told, everything may go. */
async function wavesOf(key: ManagedKey, { fleet }: Pick<FindLeftServices, 'fleet'>): Promise<Map<string, string>> {
  const waves = new Map<string, string>();
  try {
    for await (const { account, wave } of fleet.uses(key.id)) if (wave) waves.set(account.toLowerCase(), wave);
  } catch {
    return new Map();
  }
  return waves;
}

/** What a fresh look at everything has shown. */
interface UnusedProof {
  /** The accounts that use the key after all, which the index may not know. */
  readonly found: readonly Dependent[];
  /** What could not be read, one sentence each: it is looked at again. */
  readonly gaps: readonly string[];
  /** The accounts among them whose encryption scopes are listed as soon as Azure takes more lists. */
  readonly unlisted: number;
  /** What the app is set not to look at, one sentence each. */
  readonly outOfSight: readonly string[];
}

const OWN_KEY_ALONE =
  'CMK_SCOPE_DISCOVERY is "dependents": encryption scopes of accounts that use another key themselves were not looked at.';

const NO_INDEX =
  'Who was last seen to use the old key where the app does not look is not known: the fleet index could not be read.';
const NOT_REMEMBERED = 'Which subscriptions the app saw before could not be read: one may have vanished since.';
const NAMED_ALONE = 'Only the subscriptions that CMK_SUBSCRIPTIONS names were looked at.';

/**
 * Looks at everything anew, whatever is known: every subscription is listed, and every account of which a scope was moved,
 * or is known to use the key, is asked for its scopes.
 */
export async function verifyUnused(
  order: RekeyOrder,
  key: ManagedKey,
  services: FindLeftServices,
  log: Log,
): Promise<UnusedProof> {
  const { list: vanished, ...seen } = await allLookedAfter(services);
  const found = new Map<string, Dependent>();
  const add = (dependent: Dependent): void => {
    found.set(dependent.id.toLowerCase(), dependent);
  };
  const { discovered, toAsk } = await discover(order, key, { ...seen, list: seen.ids }, add, services, log);
  const again = await askScopesAgain(order, key, seen.ids, { ...services, isIndexed: discovered.indexed }, found);
  const gaps = [
    ...(seen.isPart ? [NOT_REMEMBERED] : []),
    ...vanished.map((id) => `The app does not see subscription ${id} any more.`),
    ...discovered.unreadableSubscriptions.map(
      ({ id, failure }) => `The accounts of subscription ${id} cannot be listed: ${describe(failure)}`,
    ),
    ...discovered.unreadableScopes.map(
      ({ id, failure }) => `The encryption scopes of ${id} cannot be listed: ${describe(failure)}`,
    ),
    ...toAsk,
    ...again.gaps,
  ];
  return {
    found: [...found.values()],
    gaps: [...new Set(gaps)],
    unlisted: again.unlisted,
    outOfSight: await notLookedAt(key, seen.ids, services),
  };
}

/** What the app does not look at, and what the index still knows of that. */
async function notLookedAt(
  key: ManagedKey,
  inSight: readonly string[],
  { settings, fleet }: FindLeftServices,
): Promise<string[]> {
  const gaps = [
    ...(settings.scopeDiscovery === 'all' ? [] : [OWN_KEY_ALONE]),
    ...(settings.subscriptions ? [NAMED_ALONE] : []),
  ];
  const leftOut = new LeftOut(inSight);
  try {
    for await (const use of fleet.uses(key.id)) leftOut.takes(use);
  } catch {
    return [...gaps, NO_INDEX];
  }
  return [...gaps, ...leftOut.sentences()];
}

async function discover(
  order: RekeyOrder,
  key: ManagedKey,
  subscriptions: SearchedSubscriptions,
  found: (dependent: Dependent) => void,
  services: FindLeftServices,
  log: Log,
): Promise<{ readonly discovered: Discovered; readonly toAsk: readonly string[] }> {
  const toAsk: string[] = [];
  const findings = {
    found: async (dependent: Dependent) => found(dependent),
    async ask(accounts: readonly Dependent[], unreadable: readonly UnreadableScopes[]) {
      toAsk.push(...accounts.map(({ id }) => notAsked(id)));
      // Whoever turns out to use the key is moved when that shows: the order stands still.
      await askLater(accounts, unreadable, causeOf(order, services.now()), services);
    },
  };
  const discovered = await discoverDependents(key, subscriptions, services, findings, log);
  return { discovered, toAsk };
}

/** An account whose scopes nobody has seen. */
export interface NeverAsked {
  /** In a sentence. */
  readonly gap: string;
  /** Whether somebody was sent to it; otherwise it refuses, or could not be asked. */
  readonly isUnderWay: boolean;
  readonly place: PacedPlace;
}

/**
 * Accounts that were never asked for their scopes, those too that somebody was sent to a moment ago: before they were, nothing
 * can be verified. None where the index cannot be read: then everything is listed, scopes and all.
 */
export async function neverAsked(order: RekeyOrder, services: FindLeftServices): Promise<readonly NeverAsked[]> {
  try {
    return await (services.settings.scopeDiscovery === 'all' ? allUnasked(services) : ownUnasked(order, services));
  } catch {
    return [];
  }
}

async function allUnasked(services: FindLeftServices): Promise<readonly NeverAsked[]> {
  const { ids } = await allLookedAfter(services);
  const gaps: NeverAsked[] = [];
  const now = services.now();
  for await (const { account, location, sentOn, refused } of services.fleet.unasked()) {
    const id = parseResourceId(account);
    if (!id || !ids.includes(id.subscriptionId)) continue;
    const isUnderWay = !refused && hasBeenSince(sentOn, now.getTime() - LOST_MS, now);
    gaps.push({ gap: notAsked(id.id), isUnderWay, place: { subscriptionId: id.subscriptionId, location } });
  }
  return gaps;
}

/** Where no others are asked: those that have moved, and whoever was sent to them waits until lists are to be had. */
async function ownUnasked(order: RekeyOrder, services: FindLeftServices): Promise<readonly NeverAsked[]> {
  const now = services.now();
  const isUnderWay = ({ at, hasFailed }: { readonly at: string; readonly hasFailed: boolean }): boolean =>
    !hasFailed && hasBeenSince(at, now.getTime() - LOST_MS, now);
  const own = new Map([...(await ownAccounts(order, services))].filter(([, one]) => isUnderWay(one)));
  for (const subscription of new Set([...own.values()].map(({ id }) => id.subscriptionId))) {
    for await (const { account, scopes } of services.fleet.accounts(subscription)) {
      if (scopes !== undefined) own.delete(account.toLowerCase());
    }
  }
  return [...own.values()].map(({ id, location }) => {
    return { gap: notAsked(id.id), isUnderWay: true, place: { subscriptionId: id.subscriptionId, location } };
  });
}
