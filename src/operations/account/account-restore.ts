import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { REASONS } from '../../reasons.ts';
import { readAccountRevocations, scopeOfPart, type Taken } from '../../revocation/account-record.ts';
import { restoreAccount } from '../../revocation/account-revocation.ts';
import { ownStepOf } from '../../revocation/change-access.ts';
import { type AccountGiving, refusedGiving } from '../../revocation/give-account.ts';
import { auditWarning, NOT_AUDITED } from '../../revocation/record-revocation.ts';
import { restoreAccountCommand } from '../../revocation/restore-command.ts';
import { type AppRecord, callBy } from '../key/app-record.ts';
import { NO_LOG } from '../key/key-revoke.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount, type Where } from '../resolve.ts';
import { changeOf, revocableOf } from './account-revocable.ts';

interface AccountRestoreOptions extends Where {
  readonly account: string;
  /** Id of the revocation. */
  readonly revocation: string;
  readonly reason: string;
  readonly ticket?: string | undefined;
  /** Whether somebody else than who revoked has to do it. */
  readonly dualControl: boolean;
  readonly app: AppRecord;
}

interface AccountRestoreResult {
  readonly account: string;
  readonly scope: string | undefined;
  readonly complete: boolean;
  readonly given: readonly Taken[];
  readonly audit: string;
  /** Number and hash of its record there: the log has the receipts of the app alone. */
  readonly auditReceipt?: string | undefined;
}

/** Gives back what the named revocation took away, and nothing else; the same code and record as the app's API. */
export async function restoreAccountAsOperator(
  { account: named, revocation, reason: why, ticket, dualControl, app, ...where }: AccountRestoreOptions,
  { azure, journal }: Operation,
): Promise<AccountRestoreResult> {
  const operator = await azure.operator();
  const account = await findAccount(named, azure, where);
  const { open, unbelieved } = readAccountRevocations(account.tags, azure.now());
  const id = revocation.toLowerCase();
  const refused = refusedGiving({ open, unbelieved }, { revocation: id, restoredBy: operator.objectId, dualControl });
  if (refused) return nothingOr(refused, account, { journal });
  const record = open.find((one) => one.id === id);
  const scope = record && scopeOfPart(record.part);
  if (journal.dryRun) {
    for (const one of record?.took ?? []) journal.planned(changeOf(one, account, 'give'));
    return { account: account.id, scope, complete: false, given: [], ...NOT_AUDITED };
  }
  const { part, place } = await revocableOf(account, record?.part ?? 'identity', azure);
  const result = await restoreAccount(
    part,
    place,
    { revocation: id, dualControl },
    { ...callBy(operator), why, ticket },
    { ...azure, ...app },
    NO_LOG,
  );
  if (result.end !== 'restored' && result.end !== 'incomplete') return nothingOr(result, account, { journal });
  for (const one of result.given) journal.done(changeOf(one, account, 'give'));
  if (result.given.length === 0 && result.end === 'restored') journal.found('there was nothing to give back');
  for (const { taken, error } of result.failures)
    journal.note(`${changeOf(taken, account, 'give').text}: NOT done: ${error}`);
  if (result.unproven !== undefined) journal.note(`It could not be read again as proof: ${result.unproven}`);
  const complete = result.end === 'restored';
  if (!complete) journal.note(ownStepOf(result.failures) ?? 'Run the same command again: it finishes what is missing.');
  for (const warning of [...result.warnings, ...auditWarning(result)]) journal.note(warning);
  const { given, audit, auditReceipt } = result;
  return { account: account.id, scope, complete, given, audit, auditReceipt };
}

/** @throws {@link CmkError} unless there was nothing to restore */
function nothingOr(
  { end, revocation }: Pick<AccountGiving, 'end' | 'revocation'>,
  account: Account,
  { journal }: Pick<Operation, 'journal'>,
): AccountRestoreResult {
  const command = revocation && restoreAccountCommand(account, revocation);
  if (end === 'secondPerson') {
    const message = `You revoked ${account.name}, and access is given back by somebody else.`;
    throw new CmkError('SecondPersonNeeded', message, `Ask a second person to run it: ${command}`);
  }
  if (end === 'overtaken') {
    const nextStep = 'Find out who revoked it and why before you restore it.';
    throw new CmkError('RestoreOvertaken', REASONS.RestoreOvertaken, nextStep);
  }
  if (end === 'otherRevocation' && revocation) {
    throw new CmkError(
      'OtherRevocation',
      `${REASONS.OtherRevocation} It is ${revocation.id}, of ${revocation.revokedOn.toISOString()}.`,
      `If that is the one you mean: ${command}`,
    );
  }
  if (end === 'unbelieved') {
    throw new CmkError(
      'AccountRecordUnbelieved',
      `${REASONS.AccountRecordUnbelieved} Nothing was given back.`,
      'Look at the clock of this machine: a record of more than six minutes ahead does not count. If it is right, the audit trail has what was taken away (cmk audit list --action account.revoke): give that by hand, then take the tags of the record away.',
    );
  }
  journal.found(`no such revocation of ${account.name} is open`);
  return { account: account.id, scope: undefined, complete: true, given: [], ...NOT_AUDITED };
}
