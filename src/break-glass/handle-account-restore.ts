import type { RouteKey } from '../http/access.ts';
import { HttpProblem } from '../http/problem.ts';
import type { Revocable } from '../identities/revocable.ts';
import { keyOfTaken } from '../identities/role-grant.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { type AccountRevocation, samePart, scopeOfPart } from '../revocation/account-record.ts';
import { type AccountRestored, type AccountUseCase, restoreAccount } from '../revocation/account-revocation.ts';
import { ownStepOf } from '../revocation/change-access.ts';
import type { AccountGiving } from '../revocation/give-account.ts';
import { auditWarning, type RevocationCall } from '../revocation/record-revocation.ts';
import { accountRecordView, failureView, takenView } from '../revocation/record-view.ts';
import { isComplete } from '../revocation/restore-end.ts';
import { type AccountLookServices, orUnreadable } from './account-of-call.ts';
import type { AccountRestoreResponse } from './account-schemas.ts';
import type { RestoreRequest } from './schemas.ts';
import { foundByTrail, unfoundWarning, withinReach } from './within-reach.ts';

export type AccountRestoreServices = AccountLookServices &
  AccountUseCase &
  Parameters<typeof foundByTrail>[1] & { readonly settings: { readonly dualControl: boolean } };

/**
 * The keys that a restore is about: that of the account now, and those that it gives roles on. What it is about by the time
 * it gives, `withinReach` asks for.
 */
export function keysOfRestore({ key, part }: Revocable, open: readonly AccountRevocation[]): readonly RouteKey[] {
  const vault = key.vault.name;
  const taken = open.filter((one) => samePart(one.part, part.part)).flatMap(({ took }) => took);
  const names = taken.flatMap((one) => keyOfTaken(one) ?? []);
  return [...new Set([key.name, ...names])].map((name) => ({ vault, key: name }));
}

/**
 * Gives back what the named revocation took away, and words the answer.
 *
 * @param revocable the part of the account that the revocation is of
 * @param requireOn whether the role of whoever has it done reaches a key
 * @throws {@link HttpProblem} 403 for the person who revoked, 409 when another revocation is open, 502 when something is
 *   not given back
 */
export async function handleAccountRestore(
  revocable: Revocable,
  { revocation }: Pick<RestoreRequest, 'revocation'>,
  call: RevocationCall,
  requireOn: (key: RouteKey) => void,
  services: AccountRestoreServices,
  log: Log,
): Promise<AccountRestoreResponse> {
  const found = foundByTrail(revocable, services);
  const part = withinReach(revocable, requireOn, found);
  const { dualControl } = services.settings;
  const result = await orUnreadable(() =>
    restoreAccount(part, revocable.place, { revocation, dualControl }, call, services, log),
  );
  const unfound = await unfoundWarning(result.given, found);
  const body = toBody(revocable, { ...result, warnings: [...result.warnings, ...unfound] });
  if (body.complete) return body;
  const { reason: _, ...extensions } = body;
  throw givingProblem(result, extensions);
}

function toBody({ account, key, part }: Revocable, result: AccountRestored): AccountRestoreResponse {
  const { end, revocation, given, failures, audit, auditReceipt, warnings } = result;
  const scope = scopeOfPart(revocation?.part ?? part.part);
  return {
    account: account.id,
    key: key.id,
    ...(scope === undefined ? {} : { scope }),
    reason: end === 'nothing' ? 'NothingToRestore' : 'AccountRestored',
    complete: isComplete(end),
    ...(revocation ? { revocation: accountRecordView(revocation) } : {}),
    given: given.map(takenView),
    failures: failures.map(failureView),
    audit,
    ...(auditReceipt ? { auditReceipt } : {}),
    warnings: [...auditWarning({ audit }), ...warnings],
  };
}

/** What a restore is refused with, or has come to. */
export function givingProblem(
  { end, revocation, unproven, failures = [] }: Pick<AccountGiving, 'end' | 'revocation'> & Partial<AccountGiving>,
  extensions: Readonly<Record<string, unknown>> = {},
): HttpProblem {
  switch (end) {
    case 'secondPerson':
      return new HttpProblem(
        403,
        'SecondPersonNeeded',
        REASONS.SecondPersonNeeded,
        'Ask somebody else with the app role CmkKey.Restore to make this call.',
      );
    case 'otherRevocation':
      return new HttpProblem(
        409,
        'OtherRevocation',
        `${REASONS.OtherRevocation} Nothing was given back.`,
        `Read what is open of the account. If it is that one that you mean to restore, send "revocation": "${revocation?.id}".`,
        { extensions: revocation ? { revocation: accountRecordView(revocation) } : {} },
      );
    case 'unbelieved':
      return new HttpProblem(
        409,
        'AccountRecordUnbelieved',
        `${REASONS.AccountRecordUnbelieved} Nothing was given back.`,
        'The audit trail has what was taken away (cmk audit list --action account.revoke): give that by hand, then take the tags of the record away.',
      );
    case 'overtaken':
      return new HttpProblem(
        409,
        'RestoreOvertaken',
        REASONS.RestoreOvertaken,
        'Find out who revoked it and why before you restore it.',
        { extensions },
      );
    default:
      return new HttpProblem(
        502,
        'AccountRestoreIncomplete',
        unproven === undefined
          ? `${REASONS.AccountRestoreIncomplete} "failures" says what is missing, and why.`
          : `It could not be read again as proof: ${unproven}`,
        ownStepOf(failures) ??
          'Repeat the same call: it finishes what is missing. Giving a role back takes the right that the deployment parameter allowAccountRevocation gives the app, in a Managed HSM a local role of its own (docs/managed-hsm.md); `cmk account restore` on your own sign-in takes yours.',
        { extensions },
      );
  }
}
