import type { RecordAudit } from '../audit/audit-trail.ts';
import { describe, mayPass } from '../azure/failure.ts';
import type { Turns } from '../azure/turns.ts';
import type { Keys } from '../keys/key-client.ts';
import { newestUsableVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { mayNeedRotation } from '../keys/near-expiry.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { keepRevoked } from '../revocation/keep-revoked.ts';
import type { Settings } from '../settings/settings.ts';
import type { Leases } from '../work/lease-client.ts';
import { ACCOUNT_WORK, type AccountWork, KEY_WORK, type KeyWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import type { WorkQueue } from '../work/work-queue-client.ts';
import type { Account } from './account.ts';
import { awaitActivation } from './await-activation.ts';
import { Dispatcher, type HandedTurn, handOut, LIST_CALLS, MOVE_CALLS } from './dispatcher.ts';
import { findDependents, type Inventory } from './inventory.ts';
import { accountKeyUse, usesKey } from './key-use.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { Subscriptions } from './subscriptions-client.ts';

export type ReconcileKeyServices = {
  readonly settings: Settings;
  readonly keys: Keys;
  readonly accounts: StorageAccounts;
  readonly subscriptions: Subscriptions;
  readonly queue: WorkQueue;
  readonly leases: Leases;
  readonly audit: RecordAudit;
  /** By which work is handed out. */
  readonly schedule: Turns;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
};

/** An account that could not be looked at is tried again after so many seconds, unless Azure says when. */
const LATER_SECONDS = 15;
/** A list that is due so soon after the account is waited for by its worker. */
const SOON_SECONDS = 3;
/** Subscriptions that a message names, of 40 bytes each. */
const MOST_NAMED = 1_000;

/**
 * Looks at one key: finds everything that depends on it and puts each account to work. It writes nothing itself, so that
 * it can be killed and run again at any point.
 */
export async function reconcileKey(work: KeyWork, services: ReconcileKeyServices, log: Log): Promise<Outcome> {
  const { settings, now, queue } = services;
  const key = settings.vaults.key(work.key);
  if (!key) return { outcome: 'reject', reason: 'VaultNotManaged', detail: `${work.key} is in no managed vault.` };
  const about = { key: key.id, cause: work.cause };
  try {
    const { open, versions } = await keepRevoked(key, services, log, { alsoLate: work.alsoLate ?? false });
    const activation = await awaitActivation(key, versions, work, services);
    if (open) {
      log({ level: 'warning', reason: 'RevocationOpen', message: REASONS.RevocationOpen, ...about });
      return DONE;
    }
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
    const subscriptions = work.subscriptions ?? settings.subscriptions ?? (await services.subscriptions.list());
    const send = async (account: Account, { delaySeconds, turn }: HandedTurn) => {
      const message = { ...accountWork(account, key, work), turn };
      const lists = handOut(services.schedule, account, LIST_CALLS, now().getTime());
      // Azure takes lists of scopes more slowly than writes: where its turn is later, the account does not wait for it.
      const isApart = message.scopes === undefined && lists.delaySeconds > delaySeconds + SOON_SECONDS;
      await queue.send(ACCOUNT_WORK, isApart ? { ...message, scopes: 'none' } : message, delaySeconds);
      if (isApart) {
        await queue.send(ACCOUNT_WORK, { ...message, scopes: 'only', turn: lists.turn }, lists.delaySeconds);
      }
    };
    const dispatcher = new Dispatcher(services, MOVE_CALLS, send);
    const inventory = await findDependents(key, subscriptions, services, (account) => dispatcher.dispatch(account));
    const sendLater = (account: Account, { delaySeconds, turn }: HandedTurn) =>
      queue.send(ACCOUNT_WORK, { ...accountWork(account, key, work), turn }, delaySeconds);
    // Accounts whose scopes could not be listed now are looked at one by one, as fast as lists are allowed.
    const later = new Dispatcher(services, LIST_CALLS, sendLater);
    for (const { account, failure } of inventory.unreadableScopes) {
      if (mayPass(failure)) await later.dispatch(account, failure.retryAfterSeconds ?? LATER_SECONDS);
    }
    return report(inventory, work, key, log);
  } catch (error) {
    return outcomeOfFailure(error);
  }
}

/** Says what was found and what could not be read; the latter is tried again unless it was refused for good. */
function report(inventory: Inventory, work: KeyWork, key: ManagedKey, log: Log): Outcome {
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
  const message = `${dependents} of ${accountsSeen} storage accounts depend on the key.`;
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

function accountWork(account: Account, key: ManagedKey, { cause }: KeyWork): AccountWork {
  const use = accountKeyUse(account.encryption);
  const hint = usesKey(use, key) ? { seen: { pinned: use.pinned, current: use.current } } : { scopes: 'only' as const };
  return { kind: 'account', account: account.id, location: account.location, key: key.id, ...hint, cause, attempt: 0 };
}
