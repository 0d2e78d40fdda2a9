import { describeFailure } from '../azure/failure.ts';
import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import type { Log } from '../log.ts';
import type { AccountWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import { type Account, pacingCell } from './account.ts';
import { READS_PER_ACCOUNT } from './dispatcher.ts';
import { accountKeyUse, usesKey } from './key-use.ts';
import { reconcileScopes } from './reconcile-scopes.ts';
import { type ReconcileServices, Reconciliation } from './reconciliation.ts';
import type { StorageAccounts } from './storage-client.ts';

/** A turn further away than this is waited for in the queue, where waiting costs nothing. Milliseconds. */
const LONGEST_WAIT_MS = 5_000;

/**
 * Looks at one account's use of one key, and at its encryption scopes, and moves what has to move. Everything is decided
 * from what is read here and now; the message says no more than where to look. One GET, at most one PATCH for the account.
 */
export async function reconcileAccount(work: AccountWork, services: ReconcileServices, log: Log): Promise<Outcome> {
  const { settings, pacer, readPacer, oneAtATime, now, sleep } = services;
  const key = settings.vaults.key(work.key);
  const id = parseResourceId(work.account);
  if (!key) return { outcome: 'reject', reason: 'VaultNotManaged', detail: `${work.key} is in no managed vault.` };
  if (!id) return { outcome: 'reject', reason: 'InvalidMessage', detail: `${work.account} is not an ARM id.` };

  // The turn comes before the read, so that nothing is waited for between reading the account and writing it.
  const cell = pacingCell({ subscriptionId: id.subscriptionId, location: work.location });
  const nowMs = now().getTime();
  const writeMs = pacer.reserve(cell, nowMs);
  const readMs = readPacer.reserve(id.subscriptionId, nowMs, READS_PER_ACCOUNT);
  const waitMs = Math.max(writeMs, readMs);
  if (waitMs > LONGEST_WAIT_MS) {
    pacer.release(cell);
    readPacer.release(id.subscriptionId, READS_PER_ACCOUNT);
    const budget = writeMs > readMs ? `write budget of ${cell}` : `read budget of ${id.subscriptionId}`;
    const detail = `The ${budget} is used up for ${Math.ceil(waitMs / 1000)} s.`;
    return { outcome: 'retry', reason: 'Throttled', detail, counts: false, delaySeconds: waitMs / 1000 };
  }
  if (waitMs > 0) await sleep(waitMs);

  let wrote = false;
  try {
    return await oneAtATime.run(id.id.toLowerCase(), async () => {
      const reconciliation = new Reconciliation(work.cause, key, services, log);
      const result = await reconcile(id, reconciliation);
      wrote = result.wrote;
      return result.outcome;
    });
  } catch (error) {
    return outcomeOfFailure(error);
  } finally {
    if (!wrote) pacer.release(cell);
  }
}

async function reconcile(
  id: ResourceId,
  reconciliation: Reconciliation,
): Promise<{ outcome: Outcome; wrote: boolean }> {
  const { key, services } = reconciliation;
  const [account, versions] = await Promise.all([readAccount(id, services.accounts), services.keys.listVersions(key)]);
  if (!account) {
    reconciliation.record('info', 'AccountNotFound', { account: id.id });
    return { outcome: DONE, wrote: false };
  }
  const use = accountKeyUse(account.encryption);
  const own = usesKey(use, key) ? await reconciliation.account(account, use, versions) : undefined;
  const wrote = own?.wrote ?? false;
  if (own && own.result.outcome !== 'done') return { outcome: own.result, wrote };
  try {
    const scopes = await reconcileScopes(account, key, versions, reconciliation);
    if (!own && scopes.seen === 0) {
      reconciliation.record('info', use ? 'OtherKey' : 'NotCustomerManaged', { account: id.id });
    }
    return { outcome: scopes.outcome, wrote };
  } catch (error) {
    if (describeFailure(error).kind !== 'notFound') return { outcome: outcomeOfFailure(error), wrote };
    // The list of scopes is not found when the account was deleted meanwhile.
    reconciliation.record('info', 'AccountNotFound', { account: id.id });
    return { outcome: DONE, wrote };
  }
}

async function readAccount(id: ResourceId, accounts: StorageAccounts): Promise<Account | undefined> {
  try {
    return await accounts.get(id);
  } catch (error) {
    if (describeFailure(error).kind === 'notFound') return undefined;
    throw error;
  }
}
