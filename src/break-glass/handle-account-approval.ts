import type { ApprovalRequest, RestoreApproval } from '../approvals/approval.ts';
import { type ApprovalServices, askForApproval } from '../approvals/approvals.ts';
import { approveAndCarryOut, callAsAsked, inApprovals } from '../approvals/approved-once.ts';
import { parseResourceId } from '../azure/resource-id.ts';
import type { RouteKey } from '../http/access.ts';
import { HttpProblem } from '../http/problem.ts';
import type { Revocable } from '../identities/revocable.ts';
import { sameKeyName } from '../keys/key-identifier.ts';
import type { Log } from '../log.ts';
import {
  accountRevokers,
  openOfPart,
  type RevokedPart,
  revokedPart,
  samePart,
  scopeOfPart,
} from '../revocation/account-record.ts';
import { refusedGiving } from '../revocation/give-account.ts';
import type { RevocationCall } from '../revocation/record-revocation.ts';
import type { Settings } from '../settings/settings.ts';
import { noSuchAccount, revocableOfCall } from './account-of-call.ts';
import type { AccountRestoreResponse } from './account-schemas.ts';
import { lookAtAccount } from './account-status.ts';
import {
  type AccountRestoreServices,
  givingProblem,
  handleAccountRestore,
  keysOfRestore,
} from './handle-account-restore.ts';

type AccountApprovalServices = AccountRestoreServices &
  ApprovalServices & { readonly settings: { readonly access: Pick<Settings['access'], 'restoreApprovals'> } };

/** A restore of an account that waits for others. */
export type AccountApproval = RestoreApproval & { readonly account: string };

export function isOfAccount(asked: ApprovalRequest): asked is AccountApproval {
  return asked.action === 'restore' && asked.account !== undefined;
}

/**
 * Asks for a restore below the key that others have to approve. What cannot be restored is not asked for.
 *
 * @throws {@link HttpProblem} 403, 409; 503 when requests cannot be kept
 */
export async function handleAskAccount(
  { account, key }: Revocable,
  { revocation, reason, ticket }: Pick<RestoreApproval, 'revocation' | 'reason' | 'ticket'>,
  call: RevocationCall,
  services: AccountApprovalServices,
  log: Log,
): Promise<ApprovalRequest> {
  const { access, dualControl } = services.settings;
  const look = await lookAtAccount(account, services);
  const id = revocation.toLowerCase();
  const refused = refusedGiving(look, { revocation: id, restoredBy: call.caller.objectId, dualControl });
  // Of nothing that is open nothing can be approved.
  if (refused) throw givingProblem(refused.end === 'nothing' ? { ...refused, end: 'otherRevocation' } : refused);
  const scope = scopeOfPart(look.open.find((one) => one.id === id)?.part ?? 'identity');
  const place = {
    ...{ vault: key.vault.name, key: key.name, account: account.id },
    ...(scope === undefined ? {} : { scope }),
  };
  const what = { action: 'restore', ...place, revocation: id, reason, ticket } as const;
  return inApprovals(() => askForApproval(what, access.restoreApprovals, call, services, log));
}

/**
 * Approves; with the last approval that it takes, carries it out.
 *
 * @param requireOn whether the approver's role reaches a key, as what is asked for names one alone
 * @throws {@link HttpProblem} 403, 404, 409; what a restore refuses with
 */
export async function handleApproveAccount(
  asked: AccountApproval,
  call: Pick<RevocationCall, 'caller' | 'correlationId'>,
  requireOn: (key: RouteKey) => void,
  services: AccountApprovalServices,
  log: Log,
): Promise<{ readonly approval: ApprovalRequest; readonly accountRestore?: AccountRestoreResponse }> {
  const id = parseResourceId(asked.account);
  if (!id) throw noSuchAccount();
  const look = await lookAtAccount(id, services);
  const named = look.open.find((one) => one.id === asked.revocation);
  const open = named ? openOfPart(look.account.tags, named.part, services.now()) : [];
  const revocable = named && (await revocableOfCall(look.account, named.part, services));
  if (revocable) {
    for (const key of keysOfRestore(revocable, open)) requireOn(key);
    checkKey(asked, revocable);
    checkPart(asked, named.part);
  }
  const now = { revokers: accountRevokers(open), atLeast: services.settings.access.restoreApprovals };
  const { approval, result } = await approveAndCarryOut(asked, now, call, services, log, async (approved) => {
    const found = revocable ?? (await revocableOfCall(look.account, 'identity', services));
    const restore = await handleAccountRestore(found, approved, callAsAsked(approved), requireOn, services, log);
    return { result: restore, outcome: restore.reason };
  });
  return { approval, ...(result ? { accountRestore: result } : {}) };
}

/** Whoever approves was told which part of the account it is about; tags, which say it, can be written by others. */
function checkPart({ scope, revocation }: AccountApproval, part: RevokedPart): void {
  if (samePart(part, revokedPart(scope))) return;
  const named = (of: string | undefined) => (of === undefined ? 'the account itself' : `the encryption scope ${of}`);
  throw new HttpProblem(
    409,
    'ApprovalAltered',
    `It was asked for about ${named(scope)}, and the record of ${revocation} is about ${named(scopeOfPart(part))}. Nothing was given back.`,
    'Find out who wrote the tags of the account, and ask for the restore again.',
  );
}

/** What was asked for was looked at by those who reach its key. */
function checkKey({ vault, key: asked }: AccountApproval, { key }: Revocable): void {
  if (sameKeyName(key.name, asked) && key.vault.name.toLowerCase() === vault.toLowerCase()) return;
  throw new HttpProblem(
    409,
    'ApprovalAltered',
    `Since it was asked for, ${asked} has been exchanged for another key, ${key.vault.name}/${key.name}. Nothing was given back.`,
    'Ask for the restore again.',
  );
}
