import type { HttpResponseInit } from '@azure/functions';
import { z } from 'zod';
import { describeAnswerOf, describeFailure } from '../azure/failure.ts';
import { REASONS } from '../errors/reasons.ts';
import { createJsonResponse } from '../http/answers.ts';
import { REASON, TICKET } from '../http/json-body.ts';
import { HttpProblem } from '../http/problem.ts';
import { TEXT_LENGTHS } from '../http/readable.ts';
import { checkRestoreReadiness } from '../identities/restore-readiness.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { listAuditWarnings } from '../revocation/record-revocation.ts';
import { ACCOUNT_READINESS, type RestoredKey, restore } from '../revocation/restore.ts';
import { isComplete, KeyNotRecoveredError } from '../revocation/restore-key.ts';
import { getRevocationState, RESTORED_REVOCATION } from '../revocation/version-report.ts';
import { KEY_PARAMS, requireKeyOfCall, toUnreadableProblem } from './named-key.ts';
import { CHANGED_KEY, toRevocationCall } from './revoke.ts';
import { type Call, ok, type Route, route } from './route.ts';

const RESTORE_REQUEST = z.strictObject({
  reason: REASON,
  ticket: TICKET,
  revocation: z
    .string({
      error: 'name the revocation to restore: the status of the key and the answer to the revocation have its id',
    })
    .trim()
    .min(TEXT_LENGTHS.revocation[0])
    .max(TEXT_LENGTHS.revocation[1])
    .describe(
      'Id of the revocation to restore, from its answer or from the status of the key. The call undoes no other revocation.',
    ),
});

const RESTORE_RESPONSE = z.object({
  ...CHANGED_KEY,
  reason: z.enum(['Restored', 'NothingToRestore']),
  recovered: z.boolean().describe('The key was soft-deleted, and the app recovered it first.'),
  revocation: RESTORED_REVOCATION.optional(),
  accounts: z.array(ACCOUNT_READINESS),
});
export type RestoreResponse = z.input<typeof RESTORE_RESPONSE>;

/** For a soft-deleted key that is not revoked. */
const DELETED = {
  detail:
    'The key is soft-deleted, and its newest version has no record of an open revocation. A restore recovers a deleted key only to end its revocation, so the app changed nothing.',
  nextStep: 'If the key should come back, recover it with `az keyvault key recover`.',
};

/** For versions whose record another tool removed. */
const RECORD_LOST = {
  detail:
    'The revocation disabled versions whose tags no longer show it, because another tool changed them. A restore enables only what the tags show, so these versions stay disabled; "warnings" lists them.',
  nextStep:
    'Enable these versions yourself (`az keyvault key set-attributes --enabled true`), then repeat the call, which records the end of the revocation.',
};

/**
 * Depends only on Key Vault and the token, and on the audit trail if the tags omit a revoker. If a version stays disabled
 * without a record, the answer also waits for the trail, at most ten seconds.
 */
export const RESTORE_ROUTE: Route = route({
  id: 'restoreKey',
  method: 'POST',
  path: '/keys/{vault}/{key}/restore',
  summary: 'Enable exactly the versions that the named revocation disabled; a second person must call.',
  role: 'CmkKey.Restore',
  reach: 'key',
  act: 'restore',
  params: KEY_PARAMS,
  body: { RestoreRequest: RESTORE_REQUEST },
  answers: ok('Every version that the revocation disabled is enabled again.', { RestoreResponse: RESTORE_RESPONSE }),
  refusals: [
    'StepUpNeeded',
    'SecondPersonNeeded',
    'PersonNeeded',
    'KeyNotManaged',
    'KeyNotFound',
    'OtherRevocation',
    'RestoreOvertaken',
    'RevocationUnbelieved',
    'MissingPermission',
    'RestoreIncomplete',
    ['ServiceUnavailable', 502],
    'VaultUnreadable',
    'RevokersUnread',
    'ServiceUnavailable',
  ],
  handle: handleRestore,
});

/**
 * Restores a key and builds the answer.
 *
 * @throws {@link HttpProblem} 403 for the person who revoked, 404, 409 when another revocation is open, 502 when a
 * version is still disabled
 */
export async function handleRestore(call: Call<unknown, z.output<typeof RESTORE_REQUEST>>): Promise<HttpResponseInit> {
  const { services, log } = call;
  const key = requireKeyOfCall(call);
  const body = await call.body();
  const { dualControl } = services.settings;
  const ports = {
    ...services,
    keys: services.urgentKeys,
    dualControl,
    readiness: () => checkRestoreReadiness(key, services),
  };

  const result = await restore(key, body.revocation, toRevocationCall(call, body), ports, log).catch(
    (error: unknown) => {
      if (error instanceof KeyNotRecoveredError) throw notRecovered(error, key);
      throw toUnreadableProblem(error, 'cmk key restore');
    },
  );
  if (result.versions.length === 0) throw new HttpProblem('KeyNotManaged');
  if (result.isDeleted && result.end === 'NothingToRestore') throw new HttpProblem('KeyNotFound', DELETED);

  const answer = toBody(result);
  if (isComplete(result.end)) return createJsonResponse(200, answer);

  throw problemOf(result, answer);
}

function toBody(result: RestoredKey): RestoreResponse {
  const { key, end, recovered, revocation, versions, accounts, audit, auditReceipt, warnings } = result;

  return {
    key: key.id,
    reason: end === 'NothingToRestore' ? end : 'Restored',
    complete: isComplete(end),
    recovered,
    revocation: revocation && getRevocationState(revocation),
    versions: [...versions],
    accounts: [...accounts],
    audit,
    auditReceipt,
    warnings: [...warnings, ...listAuditWarnings({ audit })],
  };
}

function problemOf(
  { end, revocation, unproven, left }: RestoredKey,
  { reason: _, ...extensions }: RestoreResponse,
): HttpProblem {
  const { recovered } = extensions;
  const sentence = `${REASONS[end]}${recovered ? ' The key was deleted and has been recovered; it is revoked as before.' : ''}`;

  switch (end) {
    case 'SecondPersonNeeded':
      return new HttpProblem(end, { detail: sentence, extensions: { recovered } });
    case 'RevokersUnread': {
      const why = unproven ? ` ${describeAnswerOf(unproven)}` : '';
      return new HttpProblem(end, { detail: `${sentence}${why}`, extensions: { recovered } });
    }
    case 'OtherRevocation':
      return new HttpProblem(end, {
        detail: `${sentence} The app enabled nothing.`,
        nextStep: `Read the key's status. If you want to restore its open revocation, send "revocation": "${revocation?.id}".`,
        extensions: { recovered, revocation: extensions.revocation },
      });
    case 'RevocationUnbelieved':
      return new HttpProblem(end, { detail: `${sentence} The app enabled nothing.`, extensions });
    case 'RestoreOvertaken':
      return new HttpProblem(end, { extensions });
    default:
      if (left.lost.length > 0) return new HttpProblem('RestoreIncomplete', { ...RECORD_LOST, extensions });
      return new HttpProblem('RestoreIncomplete', {
        detail: unproven
          ? `The app could not read the versions again to verify the result: ${describeAnswerOf(unproven)}`
          : 'Some versions that the revocation disabled are still disabled; "versions" lists them.',
        extensions,
      });
  }
}

function notRecovered({ isFound, cause }: KeyNotRecoveredError, { vault }: ManagedKey): HttpProblem {
  const failure = describeFailure(cause);
  const forbidden = failure.kind === 'forbidden';
  const reason = forbidden ? 'MissingPermission' : 'ServiceUnavailable';

  if (!isFound) {
    return new HttpProblem(reason, {
      status: 502,
      detail: `The vault has no such key, and the app could not check whether the key is deleted: ${describeAnswerOf(failure)} The app changed nothing.`,
      nextStep:
        'Check the name of the key. If the key is deleted, recover it with `az keyvault key recover`; then repeat the call.',
      cause,
    });
  }

  const right =
    vault.kind === 'vault'
      ? 'Microsoft.KeyVault/vaults/keys/recover/action on the vault'
      : 'Microsoft.KeyVault/managedHsm/keys/deletedKeys/recover/action in the HSM';

  return new HttpProblem(reason, {
    status: 502,
    detail: `The key is deleted and Key Vault did not recover it: ${describeAnswerOf(failure)}`,
    nextStep: forbidden
      ? `Give the app's identity the data action ${right}, or recover the key yourself with \`az keyvault key recover\`; then repeat the call.`
      : 'Repeat the call in a minute: Key Vault may still be recovering the key.',
    cause,
  });
}
