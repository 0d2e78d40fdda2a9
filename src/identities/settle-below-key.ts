import { unlessMissing } from '../azure/failure.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { revokedPart } from '../revocation/account-record.ts';
import { recordAccountLater } from '../revocation/record-account-later.ts';
import { type SettleAccountServices, settleAccount } from '../revocation/settle-account.ts';
import { HOUR_MS } from '../time/spans.ts';
import type { AccountRevocationWork } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import { type RevocableServices, readRevocable } from './revocable.ts';

type SettleBelowKeyServices = RevocableServices &
  SettleAccountServices & { readonly settings: { readonly vaults: ManagedVaults } };

/** How far a clock may be off when the message was written. Milliseconds. */
const BEFORE_MS = HOUR_MS;

/** When a restore that is under way is on record: by its last look, should its own process be killed too. */
const ONCE_MORE: Outcome = {
  outcome: 'retry',
  reason: 'Busy',
  detail: 'Neither its record nor a restore of it is there: it was not begun, or is being restored.',
  counts: true,
  quiet: true,
  delaySeconds: 300,
};

/**
 * A second look at what was revoked of an account, or restored. It waits for no pause, canary or turn: what is revoked has to
 * be, and be on record.
 */
export async function settleBelowKey(
  { account: named, scope, done, records, cause, attempt }: AccountRevocationWork,
  services: SettleBelowKeyServices,
  log: Log,
): Promise<Outcome> {
  const account = parseStorageAccountId(named);
  if (!account) {
    return { outcome: 'reject', reason: 'InvalidMessage', detail: `${named} is not the id of a storage account.` };
  }
  const { vaults } = services.settings;
  const part = revokedPart(scope);
  // A message that claims to be of a time to come must not keep what is on record from being found.
  const nowMs = services.now().getTime();
  const since = new Date(Math.min(Date.parse(cause.since) || nowMs, nowMs) - BEFORE_MS);
  try {
    const revocable = await readRevocable(account, part, (use) => vaults.keyOf(use), services);
    if (revocable) await settleAccount(revocable.part, { done, records }, since, services, log);
    // It may be under no managed key any more, and has its tags all the same.
    if (records && done) {
      const isTold = await unlessMissing(() => recordAccountLater({ account, part }, done, since, services));
      if (isTold === false && attempt < 2) return ONCE_MORE;
    }
    return DONE;
  } catch (error) {
    return outcomeOfFailure(error);
  }
}
