import { previewAccount, revokeBelowKey } from '../../identities/revoke-below-key.ts';
import type { AccountEffects } from '../../revocation/account-effects.ts';
import { revokedPart, type Taken, takenId } from '../../revocation/account-record.ts';
import { type RevocationState, revocationState } from '../../revocation/key-state.ts';
import { auditWarning, NOT_AUDITED } from '../../revocation/record-revocation.ts';
import { restoreAccountCommand } from '../../revocation/restore-command.ts';
import { newId } from '../../revocation/revocation.ts';
import type { Environment } from '../../settings/settings.ts';
import type { Journal } from '../journal.ts';
import { type AppRecord, callBy } from '../key/app-record.ts';
import { NO_LOG } from '../key/key-revoke.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { findAccount, type Where } from '../resolve.ts';
import { tellRestore } from '../tell-restore.ts';
import { changeOf, revocableOf } from './account-revocable.ts';

interface AccountRevokeOptions extends Where {
  /** Name or ARM id. */
  readonly account: string;
  readonly scope?: string | undefined;
  readonly reason: string;
  readonly ticket?: string | undefined;
  readonly environment: Environment;
  readonly app: AppRecord;
}

interface AccountRevokeResult {
  readonly account: string;
  readonly key: string;
  readonly scope: string | undefined;
  /** Whether a fresh read proves that nothing gives access any more. */
  readonly complete: boolean;
  readonly revocation: RevocationState | undefined;
  readonly takes: readonly Taken[];
  /** What stops, and what goes on: of a dry run. */
  readonly effects?: AccountEffects;
  readonly elapsedMs: number;
  readonly audit: string;
  /** Number and hash of its record there: the log has the receipts of the app alone. */
  readonly auditReceipt?: string | undefined;
}

/** What a revocation would take away and stop, without doing it. */
export async function previewAccountRevocation(
  options: Pick<AccountRevokeOptions, 'account' | 'scope' | 'subscription' | 'resourceGroup'>,
  { azure, journal }: Operation,
): Promise<AccountRevokeResult> {
  const { revocable, inReach } = await found(options, azure);
  const { account, key } = revocable;
  const { takes, warnings, ...effects } = await previewAccount(revocable, { ...azure, inReach });
  for (const one of takes) journal.planned(changeOf(one, account, 'take'));
  if (takes.length === 0) journal.found('there is nothing to take away: it has no access');
  describeEffects(effects, journal);
  for (const warning of warnings) journal.note(warning);
  const nothing = { complete: false, revocation: undefined, elapsedMs: 0, ...NOT_AUDITED };
  return { account: account.id, key: key.id, scope: options.scope, takes, effects, ...nothing };
}

/**
 * Cuts an account, or an encryption scope, off from its key, as the app's API does: by the same code, with the same record,
 * on the operator's own rights.
 */
export async function revokeAccountAsOperator(
  options: AccountRevokeOptions,
  { azure, journal }: Operation,
): Promise<AccountRevokeResult> {
  const { reason: why, ticket, app, scope, environment } = options;
  const operator = await azure.operator();
  const { revocable, inReach } = await found(options, azure);
  const { account, key } = revocable;
  const result = await revokeBelowKey(
    revocable,
    { ...callBy(operator), why, ticket },
    { ...azure, ...app, inReach, newId },
    NO_LOG,
  );
  const { complete, revocation, left, failures, unproven, elapsedMs, audit, auditReceipt, warnings } = result;
  const isLeft = (one: Taken): boolean => left?.some((other) => takenId(other) === takenId(one)) ?? false;
  for (const one of revocation.took) if (!isLeft(one)) journal.done(changeOf(one, account, 'take'));
  if (revocation.took.length === 0) journal.found('there was nothing to take away: it had no access');
  for (const { taken, error } of failures) journal.note(`${changeOf(taken, account, 'take').text}: NOT done: ${error}`);
  if (unproven !== undefined) journal.note(`It is not proved that nothing gives access any more: ${unproven}`);
  if (!complete && left?.length !== 0) journal.note('Run the same command again: it finishes what is missing.');
  for (const warning of [...warnings, ...auditWarning(result)]) journal.note(warning);
  if (complete) tellRestore(restoreAccountCommand(account, revocation), environment, journal);
  return {
    account: account.id,
    key: key.id,
    scope,
    complete,
    revocation: revocationState(revocation),
    takes: revocation.took,
    elapsedMs,
    audit,
    auditReceipt,
  };
}

async function found(
  { account: named, scope, ...where }: Where & { account: string; scope?: string | undefined },
  azure: Azure,
) {
  const account = await findAccount(named, azure, where);
  const revocable = await revocableOf(account, revokedPart(scope), azure);
  return { revocable, inReach: () => azure.subscriptions.list() };
}

/** Said before anybody decides. */
function describeEffects({ stops, goesOn, takesEffect, notDocumented }: AccountEffects, journal: Journal): void {
  for (const line of stops) journal.note(`Stops: ${line}`);
  for (const line of goesOn) journal.note(`Goes on: ${line}`);
  journal.note(`When: ${takesEffect}`);
  for (const line of notDocumented) journal.note(`Not documented: ${line}`);
}
