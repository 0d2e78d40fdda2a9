import type { RecordAudit } from '../audit/audit-trail.ts';
import { describe, mayPass } from '../azure/failure.ts';
import type { Turns } from '../azure/turns.ts';
import type { Keys } from '../keys/key-client.ts';
import { type KeyVersion, newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { mayNeedRotation } from '../keys/near-expiry.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { keepRevoked } from '../revocation/keep-revoked.ts';
import type { Settings } from '../settings/settings.ts';
import type { Leases } from '../work/lease-client.ts';
import { ACCOUNT_WORK, type AccountWork, KEY_WORK, type KeyWork, type RotationWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import { askLater, LATER_SECONDS } from './ask-later.ts';
import { awaitActivation } from './await-activation.ts';
import { allLookedAfter, type Dependent, type DiscoveryServices, type SearchedSubscriptions } from './dependent.ts';
import { type Discovered, discoverDependents } from './discovery.ts';
import { Dispatcher, LIST_CALLS, moveCalls, sendAccount } from './dispatcher.ts';
import type { UnreadableScopes } from './inventory.ts';
import { type Rollout, waits } from './rollout.ts';
import type { Subscriptions } from './subscriptions-client.ts';

type ReconcileKeyServices = DiscoveryServices & {
  readonly settings: Settings;
  readonly keys: Keys;
  readonly subscriptions: Subscriptions;
  readonly queue: WorkQueue;
  /** Looks at an account where it is found, if there is room; it is in the queue by then. */
  readonly atOnce?: (work: AccountWork) => Promise<boolean>;
  readonly rollout: Rollout;
  /** Looks how far the rotation is when those are done. */
  readonly followAtOnce?: (work: RotationWork) => Promise<boolean>;
  readonly leases: Leases;
  readonly audit: RecordAudit;
  /** By which work is handed out. */
  readonly schedule: Turns;
  readonly sleep: (ms: number) => Promise<void>;
};

/** Subscriptions that a message names, of 40 bytes each. */
const MOST_NAMED = 1_000;

/**
 * Looks at one key: finds everything that depends on it and puts each account to work. It writes nothing itself, so that
 * it can be killed and run again at any point.
 */
export async function lookAtKey(work: KeyWork, services: ReconcileKeyServices, log: Log): Promise<Outcome> {
  const { settings, now, queue } = services;
  const key = settings.vaults.key(work.key);
  if (!key) return { outcome: 'reject', reason: 'VaultNotManaged', detail: `${work.key} is in no managed vault.` };
  const about = { key: key.id, cause: work.cause };
  // Needed in nearly every look, and asked of somebody else than the versions.
  const searching = searched(work, services);
  searching.catch(() => {});
  try {
    const { open, versions } = await keepRevoked(key, services, log, { alsoLate: true });
    const activation = await awaitActivation(key, versions, work, services);
    if (open) {
      log({ level: 'warning', reason: 'RevocationOpen', message: REASONS.RevocationOpen, ...about });
      return DONE;
    }
    const pause = await services.rollout.paused(key, log);
    if (pause) return waits(pause);
    if (activation) {
      const message = `${REASONS.VersionNotYetActive} Active from ${activation.toISOString()}.`;
      log({ level: 'info', reason: 'VersionNotYetActive', message, ...about });
    }
    if (mayNeedRotation(versions, now())) {
      // What was near its expiry, or was not completed, while nobody was to touch the key: an event of then came to nothing.
      await queue.send(KEY_WORK, { kind: 'rotate', key: key.id, cause: work.cause, attempt: 0 });
    }
    if (!newestUsableVersion(versions, now())) {
      const reason = versions.length === 0 ? 'KeyNotFound' : 'NoUsableVersion';
      log({ level: 'error', reason, message: REASONS[reason], ...about });
      return DONE;
    }
    const { discovered, holdsBack } = await putToWork(key, versions, await searching, work, services, log);
    await lookLater(discovered, key, work, services);
    const how = { atOnce: services.followAtOnce, holdsBack };
    await services.rollout.follow(key, versions, work.cause, log, how);
    return report(discovered, work, key, log);
  } catch (error) {
    return outcomeOfFailure(error);
  }
}

/** Finds the dependents and puts them to work, as far as the rotation may go now: the others' turn comes by a later look. */
async function putToWork(
  key: ManagedKey,
  versions: readonly KeyVersion[],
  searching: SearchedSubscriptions,
  work: KeyWork,
  services: ReconcileKeyServices,
  log: Log,
): Promise<{ readonly discovered: Discovered; readonly holdsBack: boolean }> {
  const { rollout } = services;
  const dispatcher = new Dispatcher<Dependent>(services, moveCalls, (account, turn) =>
    sendAccount(accountWork(account, key, work), account, turn, services),
  );
  const stage = await rollout.stage(key, log, versions);
  const heldBack: Dependent[] = [];
  const found = async (account: Dependent): Promise<void> => {
    if (!stage.unknown && !stage.hold(account.id)) await dispatcher.dispatch(account);
    else heldBack.push(account);
  };
  const ask = (accounts: readonly Dependent[], unreadable: readonly UnreadableScopes[]) =>
    askLater(accounts, unreadable, work.cause, services);
  const discovered = await discoverDependents(key, searching, services, { found, ask }, log);
  // What was not known before is written down by now, and has its place in the order.
  const after = heldBack.length > 0 ? await rollout.stage(key, log, versions) : stage;
  let holdsBack = false;
  for (const account of heldBack) {
    if (!discovered.indexed || !after.hold(account.id)) await dispatcher.dispatch(account);
    else holdsBack = true;
  }
  return { discovered, holdsBack };
}

/** Every subscription that the app looks after; for a requeued message, those of them that were missed. */
async function searched(work: KeyWork, services: ReconcileKeyServices): Promise<SearchedSubscriptions> {
  const all = await allLookedAfter(services);
  if (!work.subscriptions) return all;
  // A message must not add subscriptions that the app does not look after.
  const own = new Set([...all.ids, ...all.list].map((id) => id.toLowerCase()));
  const missed = work.subscriptions.filter((id) => own.has(id.toLowerCase()));
  return { ids: missed, list: missed };
}

/** Without the index nobody else knows that the scopes of these are to be asked for. */
async function lookLater(
  { unreadableScopes, indexed }: Discovered,
  key: ManagedKey,
  work: KeyWork,
  services: ReconcileKeyServices,
): Promise<void> {
  if (indexed) return;
  const look = new Dispatcher<Dependent>(
    services,
    () => LIST_CALLS,
    (account, { delaySeconds, turn }) =>
      services.queue.send(ACCOUNT_WORK, { ...accountWork(account, key, work), scopes: 'only', turn }, delaySeconds),
  );
  for (const { account, failure } of unreadableScopes) {
    if (mayPass(failure)) await look.dispatch(account, failure.retryAfterSeconds ?? LATER_SECONDS);
  }
}

/** Says what was found and what could not be read; the latter is tried again unless it was refused for good. */
function report(inventory: Discovered, work: KeyWork, key: ManagedKey, log: Log): Outcome {
  const about = { key: key.id, cause: work.cause };
  for (const { id, failure } of inventory.unreadableSubscriptions) {
    const message = `The storage accounts of subscription ${id} cannot be listed: ${describe(failure)}`;
    log({ level: 'error', reason: 'SubscriptionUnreadable', message, subscription: id, ...about });
  }
  for (const { id, failure } of inventory.unreadableScopes) {
    const message = `The encryption scopes of ${id} cannot be listed: ${describe(failure)}`;
    log({ level: 'warning', reason: 'ScopesUnreadable', message, account: id, ...about });
  }
  const { dependents, accountsSeen } = inventory;
  const listed = accountsSeen > 0 ? ` ${accountsSeen} accounts were listed to find them.` : '';
  const message = `${dependents} storage accounts depend on the key.${listed}`;
  log({ level: 'info', reason: 'InventoryComplete', message, dependents, accountsSeen, ...about });

  // Only what was missed is looked at again: the message names the subscriptions, and the rest is done.
  const missed = inventory.unreadableSubscriptions.filter(({ failure }) => mayPass(failure));
  if (missed.length === 0) return DONE;
  const throttled = missed.every(({ failure }) => failure.kind === 'throttled');
  const waits = missed.flatMap(({ failure }) => failure.retryAfterSeconds ?? []);
  return {
    outcome: 'retry',
    reason: throttled ? 'Throttled' : 'ServiceUnavailable',
    detail: `${missed.length} subscriptions could not be listed.`,
    counts: !throttled,
    delaySeconds: waits.length > 0 ? Math.max(...waits) : undefined,
    with: onlyOf(
      work,
      missed.map(({ id }) => id),
    ),
  };
}

/** A queue message holds 64 KiB: where more were missed than fit in, everything is looked at again. */
export function onlyOf(work: KeyWork, subscriptions: readonly string[]): KeyWork {
  return subscriptions.length <= MOST_NAMED ? { ...work, subscriptions: [...subscriptions] } : work;
}

function accountWork({ id, location, scopes, seen }: Dependent, key: ManagedKey, { cause }: KeyWork): AccountWork {
  const hints = { ...(scopes ? { scopes } : {}), ...(seen ? { seen } : {}) };
  return { kind: 'account', account: id, location, key: key.id, ...hints, cause, attempt: 0 };
}
