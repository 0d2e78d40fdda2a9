import { describeFailure, unlessMissing } from '../azure/failure.ts';
import { parseStorageAccountId, type ResourceId } from '../azure/resource-id.ts';
import { type PacedCalls, type PacedPlace, pacingCell } from '../azure/turns.ts';
import { accountKeyUse, isSameUse, type KeyUse, usesKey } from '../fleet/key-use.ts';
import { withKeyVersion } from '../fleet/plan.ts';
import { withOtherKey } from '../fleet/rekey-plan.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { Lease } from '../work/lease-client.ts';
import type { AccountWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import { acquirePatiently } from '../work/patient-lease.ts';
import { listCalls, MOVE_CALLS, moveCalls } from './dispatcher.ts';
import { MoveJournal } from './move-journal.ts';
import {
  ABANDONED_SECONDS,
  awaitTurn,
  BUSY,
  leftAlone,
  putOff,
  type ReconcileServices,
  UNSAID_SECONDS,
} from './put-off.ts';
import { reconcileScopes } from './reconcile-scopes.ts';
import { Reconciliation } from './reconciliation.ts';
import { tellingRefusals } from './refusals.ts';
import type { Subject } from './subject.ts';

/** A look takes less than a second as a rule: who meets another one asks again so often, after so many milliseconds. */
const PATIENCE = { tries: 4, pauseMs: 300 };

/**
 * Looks at one account's use of one key, and at its encryption scopes, and moves what has to move. Everything is decided
 * from what is read here and now, under the account's lease; the message says no more than where to look. One GET, and one
 * PATCH right behind it where the account has to move; one GET more where it is found otherwise than it was known to be.
 */
export async function reconcileAccount(work: AccountWork, services: ReconcileServices, log: Log): Promise<Outcome> {
  const key = services.settings.vaults.key(work.key);
  const id = parseStorageAccountId(work.account);
  if (!key) return { outcome: 'reject', reason: 'VaultNotManaged', detail: `${work.key} is in no managed vault.` };
  if (!id) {
    return {
      outcome: 'reject',
      reason: 'InvalidMessage',
      detail: `${work.account} is not the id of a storage account.`,
    };
  }

  // The turn comes before the reads, so that nothing is waited for between reading the account and writing it.
  const { turns, schedule } = services;
  const place = { subscriptionId: id.subscriptionId, location: work.location };
  const calls = work.scopes === 'only' ? {} : MOVE_CALLS;
  const turn = await awaitTurn(place, calls, services, work.turn);
  if (turn.tooFarMs !== undefined) {
    const unused = moveCalls(work);
    const why = `The budgets of ${pacingCell(place)} are used up.`;
    return putOff(work, place, unused, { waitMs: turn.tooFarMs, why, unused }, services);
  }

  const { outcome, did } = await atItsTurn(place, { work, key, id }, services, log);
  // Before it is laid out anew: what was refused may find no other turn within the hour.
  const unusedOf = (of: PacedCalls): PacedCalls =>
    did === 'nothing' ? of : { writes: did === 'wrote' ? 0 : (of.writes ?? 0) };
  turns.release(place, unusedOf(calls), turn.turnMs);
  if (work.turn !== undefined) schedule.release(place, unusedOf(callsOf(work)), work.turn);
  return spread(outcome, { ...work, turn: undefined }, place, services);
}

interface Look {
  readonly outcome: Outcome;
  /** What Azure was asked. */
  readonly did: 'nothing' | 'read' | 'wrote';
}

async function atItsTurn(
  place: PacedPlace,
  about: { readonly work: AccountWork; readonly key: ManagedKey; readonly id: ResourceId },
  services: ReconcileServices,
  log: Log,
): Promise<Look> {
  const { subscriptionId, name } = about.id;
  try {
    // Messages about one account that come together wait for each other; a longer wait is one for the queue.
    const acquire = () => services.leases.acquire(`account/${subscriptionId}/${name.toLowerCase()}`);
    const lease = await acquirePatiently(acquire, PATIENCE, services.sleep);
    if (!lease) return { outcome: BUSY, did: 'nothing' };
    const accounts = tellingRefusals(services.accounts, place, services);
    return await underLease(lease, about, { ...services, accounts }, log);
  } catch (error) {
    return { outcome: outcomeOfFailure(error), did: 'nothing' };
  }
}

/** What its turn was handed out for. */
function callsOf(work: AccountWork): PacedCalls {
  return work.scopes === 'only' ? listCalls(work) : moveCalls(work);
}

/**
 * What Azure refused to all of a place together does not come back together.
 *
 * @param work without its turn, which has passed: it would be given back once more by who tries it again
 */
function spread(outcome: Outcome, work: AccountWork, place: PacedPlace, services: ReconcileServices): Outcome {
  if (outcome.outcome !== 'retry' || outcome.with) return outcome;
  if (outcome.reason !== 'Throttled') return { ...outcome, with: work };
  const wait = { waitMs: (outcome.delaySeconds ?? UNSAID_SECONDS) * 1000, why: outcome.detail };
  return putOff(work, place, callsOf(work), wait, services);
}

async function underLease(
  lease: Lease,
  { work, key, id }: { work: AccountWork; key: ManagedKey; id: ResourceId },
  services: ReconcileServices,
  log: Log,
): Promise<Look> {
  const journal = new MoveJournal(lease, services.audit);
  const underWayMs = await journal.leaveAlone(services.now());
  if (underWayMs > 0) return { outcome: leftAlone(underWayMs), did: 'nothing' };
  const reconciliation = new Reconciliation({ ...work, account: id.id }, key, journal, services, log);
  let outcome: Outcome;
  try {
    outcome = await reconcile(id, reconciliation);
    await journal.recordFound();
  } catch (error) {
    outcome = outcomeOfFailure(error);
  }
  const detail = journal.unrecorded;
  if (outcome.outcome === 'done' && detail !== undefined) {
    outcome = { outcome: 'retry', reason: 'AuditFailed', detail, counts: true, delaySeconds: ABANDONED_SECONDS };
  }
  await journal.close();
  return { outcome, did: reconciliation.wrote ? 'wrote' : 'read' };
}

async function reconcile(id: ResourceId, reconciliation: Reconciliation): Promise<Outcome> {
  const { journal, key, work } = reconciliation;
  const gone = async (): Promise<Outcome> => {
    for (const { scope } of journal.found) await reconciliation.settle(scope, undefined);
    reconciliation.record('info', 'AccountNotFound', { account: id.id });
    return DONE;
  };
  let uses = true;
  let use: KeyUse | undefined;
  if (work.scopes !== 'only' || journal.found.some(({ scope }) => scope === undefined)) {
    const subject = accountSubject(id, reconciliation);
    const guess = guessedUse(reconciliation);
    const first = guess
      ? await reconciliation.list().then(() => reconciliation.readFirst(subject, guess))
      : { reading: (await Promise.all([subject.read(), reconciliation.list()]))[0] };
    if (!first.reading) return gone();
    ({ use } = first.reading);
    await reconciliation.settle(undefined, use, first.reading.rotatedOn);
    uses = usesKey(use, key);
    const own = first.outcome ?? (uses && use ? await reconciliation.move(subject, use) : DONE);
    if (own.outcome !== 'done') return own;
  }
  try {
    const scopes = await reconcileScopes(id, reconciliation);
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

/**
 * How the account should be found to use the key: as the app's last move left it, and as whoever wrote the message saw it.
 * Where these differ, or a move of before is still to be judged, the account is read before anything is announced.
 */
function guessedUse({ journal, key, work }: Reconciliation): KeyUse | undefined {
  if (journal.found.length > 0) return undefined;
  const { known } = journal;
  const { seen } = work;
  if (!seen) return usesKey(known, key) ? known : undefined;
  const said: KeyUse = { vaultUri: key.vault.uri, keyName: key.name, pinned: seen.pinned, current: seen.current };
  return !known || isSameUse(known, said) ? said : undefined;
}

function accountSubject(id: ResourceId, reconciliation: Reconciliation): Subject {
  const { services, work } = reconciliation;
  const { accounts } = services;
  const place = { subscriptionId: id.subscriptionId, location: work.location };
  return {
    /** The message's own turn had one read in it. */
    async turn() {
      const { tooFarMs: waitMs } = await awaitTurn(place, { reads: 1 }, services);
      return waitMs === undefined
        ? undefined
        : putOff(work, place, moveCalls(work), { waitMs, why: 'Too many reads.' }, services);
    },
    async read() {
      const account = await unlessMissing(() => accounts.get(id));
      if (account) reconciliation.revoked.see(account.tags);
      return (
        account && {
          use: accountKeyUse(account.encryption),
          rotatedOn: account.encryption.keyVaultProperties?.lastKeyRotationTimestamp,
          revoked: reconciliation.revoked.of(undefined),
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
