import type { HttpResponseInit } from '@azure/functions';
import type { z } from 'zod';
import { describe, describeFailure } from '../azure/failure.ts';
import { jsonResponse } from '../http/answers.ts';
import { HttpProblem } from '../http/problem.ts';
import { restoreReadiness } from '../identities/restore-readiness.ts';
import { REASONS } from '../reasons.ts';
import { auditWarning } from '../revocation/record-revocation.ts';
import { type RestoredKey, restore } from '../revocation/restore.ts';
import { isComplete, KeyNotRecoveredError } from '../revocation/restore-key.ts';
import { revocationState } from '../revocation/version-report.ts';
import type { RESTORE_REQUEST, RestoreResponse } from './break-glass-schemas.ts';
import { keyOfCall, noSuchKey, unreadable } from './named-key.ts';
import { revocationCall } from './revoke.ts';
import type { Call } from './route.ts';

/**
 * Restores a key and builds the answer. Depends only on Key Vault and the token; on the audit trail if the tags omit a revoker.
 *
 * @throws {@link HttpProblem} 403 for the person who revoked, 404, 409 when another revocation is open, 502 when a
 * version is still disabled
 */
export async function handleRestore(call: Call<unknown, z.output<typeof RESTORE_REQUEST>>): Promise<HttpResponseInit> {
  const { services, log } = call;
  const key = keyOfCall(call);
  const body = await call.body();
  const { dualControl } = services.settings;
  const ports = {
    ...services,
    keys: services.urgentKeys,
    dualControl,
    readiness: () => restoreReadiness(key, services),
  };
  const result = await restore(key, body.revocation, revocationCall(call, body), ports, log).catch((error: unknown) => {
    throw error instanceof KeyNotRecoveredError ? notRecovered(error) : unreadable(error);
  });
  if (result.versions.length === 0) throw noSuchKey();
  const answer = toBody(result);
  if (isComplete(result.end)) return jsonResponse(200, answer);
  throw problemOf(result, answer);
}

function toBody(result: RestoredKey): RestoreResponse {
  const { key, end, recovered, revocation, versions, accounts, audit, auditReceipt, warnings } = result;
  return {
    key: key.id,
    reason: end === 'NothingToRestore' ? end : 'Restored',
    complete: isComplete(end),
    recovered,
    revocation: revocation && revocationState(revocation),
    versions: [...versions],
    accounts: accounts.map(({ account, ready, missing }) => ({ account, ready, missing: [...missing] })),
    audit,
    auditReceipt,
    warnings: [...warnings, ...auditWarning({ audit })],
  };
}

function problemOf(result: RestoredKey, { reason: _, ...extensions }: RestoreResponse): HttpProblem {
  const { end, recovered, revocation, unproven } = result;
  const sentence = `${REASONS[end]}${recovered ? ' The key was deleted and has been recovered; it is revoked as before.' : ''}`;
  switch (end) {
    case 'SecondPersonNeeded':
      return new HttpProblem(end, { detail: sentence, extensions: { recovered } });
    case 'RevokersUnread': {
      const why = unproven ? ` ${describe(unproven)}` : '';
      return new HttpProblem(end, { detail: `${sentence}${why}`, extensions: { recovered } });
    }
    case 'RevocationUnbelieved':
      return new HttpProblem(end, {
        detail: `${sentence} The key has no valid open revocation. The app enabled nothing.`,
        extensions,
      });
    case 'OtherRevocation':
      return new HttpProblem(end, {
        detail: `${sentence} The app enabled nothing.`,
        nextStep: `Read the key's status. If you want to restore its open revocation, send "revocation": "${revocation?.id}".`,
        extensions: { recovered, revocation: extensions.revocation },
      });
    case 'RestoreOvertaken':
      return new HttpProblem(end, { extensions });
    default:
      return new HttpProblem('RestoreIncomplete', {
        detail: unproven
          ? `The app could not read the versions again to verify the result: ${describe(unproven)}`
          : 'Some versions that the revocation disabled are still disabled; "versions" lists them.',
        extensions,
      });
  }
}

function notRecovered({ cause }: KeyNotRecoveredError): HttpProblem {
  const failure = describeFailure(cause);
  const forbidden = failure.kind === 'forbidden';
  return new HttpProblem(forbidden ? 'MissingPermission' : 'ServiceUnavailable', {
    status: 502,
    detail: `The key is deleted and Key Vault did not recover it: ${describe(failure)}`,
    nextStep: forbidden
      ? "Give the app's identity the data action Microsoft.KeyVault/vaults/keys/recover/action on the vault, or recover the key yourself with `az keyvault key recover`; then repeat the call."
      : 'Repeat the call in a minute: Key Vault may still be recovering the key.',
    cause,
  });
}
