import { describeFailure } from '../azure/failure.ts';
import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { Lease } from '../work/lease-client.ts';
import type { AccountWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import { acquirePatiently } from '../work/patient-lease.ts';
import { type Account, pacingCell } from './account.ts';
import { READS_PER_ACCOUNT } from './dispatcher.ts';
import { accountKeyUse, usesKey } from './key-use.ts';
import { MoveJournal } from './move-journal.ts';
import { withKeyVersion } from './plan.ts';
import { reconcileScopes } from './reconcile-scopes.ts';
import { ABANDONED_SECONDS, BUSY, LONGEST_WAIT_MS, type ReconcileServices, Reconciliation } from './reconciliation.ts';
import { withOtherKey } from './rekey-plan.ts';
import { failedByRekey, RekeyTask } from './rekey-task.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { Subject } from './subject.ts';

/** A look takes less than a second as a rule: who meets another one asks again so often, after so many milliseconds. */
const PATIENCE = { tries: 4, pauseMs: 300 };

/**
 * Looks at one account's use of one key, and at its encryption scopes, and moves what has to move. Everything is decided
 * from what is read here and now, under the account's lease; the message says no more than where to look. One GET where
 * nothing has to move; one more, right before it, for each PATCH.
 */
export async function reconcileAccount(work: AccountWork, services: ReconcileServices, log: Log): Promise<Outcome> {
  const key = services.settings.vaults.key(work.key);
  const id = parseResourceId(work.account);
  if (!key) return { outcome: 'reject', reason: 'VaultNotManaged', detail: `${work.key} is in no managed vault.` };
  if (id?.type.toLowerCase() !== 'microsoft.storage/storageaccounts') {
    return {
      outcome: 'reject',
      reason: 'InvalidMessage',
      detail: `${work.account} is not the id of a storage account.`,
    };
  }

  // The turn comes before the reads, so that nothing is waited for between reading the account and writing it.
  const { pacer, readPacer, now, sleep } = services;
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
    // Messages about one account that come together wait for each other; a longer wait is one for the queue.
    const name = `account/${id.subscriptionId}/${id.name.toLowerCase()}`;
    const lease = await acquirePatiently(() => services.leases.acquire(name), PATIENCE, sleep);
    if (!lease) return BUSY;
    const result = await underLease(lease, { work, key, id }, services, log);
    wrote = result.wrote;
    return result.outcome;
  } catch (error) {
    return outcomeOfFailure(error);
  } finally {
    if (!wrote) {
      pacer.release(cell);
      readPacer.release(id.subscriptionId);
    }
  }
}

async function underLease(
  lease: Lease,
  { work, key, id }: { work: AccountWork; key: ManagedKey; id: ResourceId },
  services: ReconcileServices,
  log: Log,
): Promise<{ outcome: Outcome; wrote: boolean }> {
  const journal = new MoveJournal(lease, services.audit);
  const reconciliation = new Reconciliation({ ...work, account: id.id }, key, journal, services, log);
  let outcome: Outcome;
  try {
    const underWayMs = journal.underWayMs(services.now());
    if (underWayMs > 0) {
      await services.sleep(underWayMs);
      journal.waited();
    }
    const { standingRekeys } = services;
    const rekey = await standingRekeys.of(key, work, log);
    reconciliation.rekey =
      rekey && (await RekeyTask.begin(rekey, { account: id.id, location: work.location }, services));
    outcome = await reconcile(id, work, reconciliation);
    await journal.recordFound();
  } catch (error) {
    outcome = outcomeOfFailure(error);
  }
  if (reconciliation.rekey) outcome = await failedByRekey(outcome, work, reconciliation.rekey, log);
  const detail = journal.unrecorded;
  if (outcome.outcome === 'done' && detail !== undefined) {
    outcome = { outcome: 'retry', reason: 'AuditFailed', detail, counts: true, delaySeconds: ABANDONED_SECONDS };
  }
  await journal.close();
  return { outcome, wrote: reconciliation.wrote };
}

async function reconcile(id: ResourceId, work: AccountWork, reconciliation: Reconciliation): Promise<Outcome> {
  const { accounts } = reconciliation.services;
  const gone = async (): Promise<Outcome> => {
    for (const { scope } of reconciliation.journal.found) await reconciliation.settle(scope, undefined);
    await reconciliation.rekey?.gone();
    reconciliation.record('info', 'AccountNotFound', { account: id.id });
    return DONE;
  };
  const [account] = await Promise.all([readAccount(id, accounts), reconciliation.list()]);
  if (!account) return gone();
  const use = accountKeyUse(account.encryption);
  await reconciliation.settle(undefined, use);
  await reconciliation.rekey?.saw(undefined, use);
  const uses = usesKey(use, reconciliation.key);
  if (uses) {
    const own = await reconciliation.move(accountSubject(accounts, id), use);
    if (own.outcome !== 'done') return own;
  }
  // The scarcest of the budgets is left to those that have scopes.
  const begun =
    reconciliation.journal.found.some(({ scope }) => scope !== undefined) || reconciliation.rekey?.hasScopes;
  if (uses && work.scopes === 'none' && !begun) return DONE;
  try {
    const scopes = await reconcileScopes(id, account.location, reconciliation);
    if (!uses && scopes.seen === 0) {
      reconciliation.record('info', use ? 'OtherKey' : 'NotCustomerManaged', { account: id.id });
    }
    return scopes.outcome;
  } catch (error) {
    // The list of scopes is not found when the account was deleted meanwhile.
    if (describeFailure(error).kind === 'notFound') return gone();
    throw error;
  }
}

function accountSubject(accounts: StorageAccounts, id: ResourceId): Subject {
  return {
    async read() {
      const account = await readAccount(id, accounts);
      return (
        account && {
          use: accountKeyUse(account.encryption),
          async write(pin, to) {
            const { encryption } = account;
            const changed = to ? withOtherKey(encryption, to, pin) : withKeyVersion(encryption, pin);
            const updated = await accounts.updateEncryption(id, changed);
            return accountKeyUse(updated.encryption);
          },
        }
      );
    },
  };
}

async function readAccount(id: ResourceId, accounts: StorageAccounts): Promise<Account | undefined> {
  try {
    return await accounts.get(id);
  } catch (error) {
    if (describeFailure(error).kind === 'notFound') return undefined;
    throw error;
  }
}
