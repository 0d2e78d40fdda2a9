import { HttpProblem } from '../http/problem.ts';
import type { Revocable } from '../identities/revocable.ts';
import { type PreviewServices, previewAccount, revokeBelowKey } from '../identities/revoke-below-key.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { scopeOfPart } from '../revocation/account-record.ts';
import type { AccountRevoked, AccountRevoking } from '../revocation/account-revocation.ts';
import { auditWarning, NOT_AUDITED, type RevocationCall } from '../revocation/record-revocation.ts';
import { accountRecordView, failureView, takenView } from '../revocation/record-view.ts';
import { ownStorage } from '../settings/own-storage.ts';
import type { Settings } from '../settings/settings.ts';
import { type AccountLookServices, inReachOf, orUnreadable } from './account-of-call.ts';
import type { AccountRevokeRequest, AccountRevokeResponse } from './account-schemas.ts';

type AccountRevokeServices = AccountLookServices &
  AccountRevoking &
  Omit<PreviewServices, 'inReach'> & {
    readonly settings: Pick<Settings, 'subscriptions' | 'vaults' | 'storage' | 'cloud'>;
  };

/** What a revocation would stop, without doing it. @throws {@link HttpProblem}, `CmkError`: what it would be refused with */
export async function dryRunAccount(
  revocable: Revocable,
  services: AccountRevokeServices,
): Promise<AccountRevokeResponse> {
  const preview = await orUnreadable(() => previewAccount(revocable, { ...services, inReach: inReachOf(services) }));
  const { takes, warnings, stops, goesOn, takesEffect, notDocumented } = preview;
  return {
    ...aboutOf(revocable),
    reason: 'DryRun',
    complete: false,
    takes: takes.map(takenView),
    failures: [],
    elapsedMs: 0,
    stops: [...stops],
    goesOn: [...goesOn],
    takesEffect,
    notDocumented: [...notDocumented],
    ...NOT_AUDITED,
    warnings: [...lockout(revocable, services), ...warnings],
  };
}

/**
 * Revokes, and words the answer.
 *
 * @throws {@link HttpProblem} 400 on a wrong confirmation, 502 when it is not proved that nothing gives access; `CmkError`
 *   409 when it cannot be taken away by itself, 502 when the record cannot be written
 */
export async function handleAccountRevoke(
  revocable: Revocable,
  { confirm }: AccountRevokeRequest,
  call: RevocationCall,
  services: AccountRevokeServices,
  log: Log,
): Promise<AccountRevokeResponse> {
  checkConfirmation(confirm, revocable);
  const result = await orUnreadable(() =>
    revokeBelowKey(revocable, call, { ...services, inReach: inReachOf(services) }, log),
  );
  const body = toBody(revocable, result, services);
  if (result.complete) return body;
  const { reason: _, ...extensions } = body;
  throw new HttpProblem(
    502,
    'AccountRevocationIncomplete',
    result.unproven === undefined
      ? `${REASONS.AccountRevocationIncomplete} There still: ${result.left?.length ?? 0}; "failures" says why.`
      : `It is not proved that nothing gives access any more: ${result.unproven}`,
    result.left?.length === 0 && result.unproven !== undefined
      ? 'Where something could not be read, repeat the same call; where somebody may be a group that it is in, find that out. In an emergency revoke the key.'
      : 'Repeat the same call: it finishes what is missing. In an emergency revoke the key.',
    { extensions },
  );
}

function toBody(
  revocable: Revocable,
  { complete, revocation, failures, elapsedMs, audit, auditReceipt, warnings }: AccountRevoked,
  services: AccountRevokeServices,
): AccountRevokeResponse {
  return {
    ...aboutOf(revocable),
    reason: 'AccountRevoked',
    complete,
    revocation: accountRecordView(revocation),
    takes: revocation.took.map(takenView),
    failures: failures.map(failureView),
    elapsedMs,
    audit,
    ...(auditReceipt ? { auditReceipt } : {}),
    warnings: [...lockout(revocable, services), ...auditWarning({ audit }), ...warnings],
  };
}

function aboutOf({ account, key, part }: Revocable): Pick<AccountRevokeResponse, 'account' | 'key' | 'scope'> {
  const scope = scopeOfPart(part.part);
  return { account: account.id, key: key.id, ...(scope === undefined ? {} : { scope }) };
}

function lockout({ account }: Revocable, { settings }: AccountRevokeServices): string[] {
  if (!ownStorage(settings)?.includes(account.name.toLowerCase())) return [];
  return [
    "This is the app's own storage: while it is revoked, queues and audit trail of the app stop. Restore with `cmk account restore`, and move the app's storage to Microsoft-managed keys.",
  ];
}

function checkConfirmation(confirm: string, { account, part }: Revocable): void {
  const scope = scopeOfPart(part.part);
  const wanted = scope === undefined ? account.name : `${account.name}/${scope}`;
  if (confirm.toLowerCase() === wanted.toLowerCase()) return;
  throw new HttpProblem(
    400,
    'ConfirmationWrong',
    `"confirm" does not name what this call is about. Nothing was changed.`,
    `Send "confirm": "${wanted}" if this is what you mean.`,
  );
}
