import { describe, describeFailure } from '../azure/failure.ts';
import { HttpProblem } from '../http/problem.ts';
import { type ReadinessServices, restoreReadiness } from '../identities/restore-readiness.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REFUSALS, type Refusal } from '../refusals.ts';
import type { RevocationCall } from '../revocation/follow-ups.ts';
import { revocationState } from '../revocation/key-state.ts';
import { auditWarning, type BesideServices } from '../revocation/record-revocation.ts';
import { type RestoredKey, restore } from '../revocation/restore.ts';
import { isComplete } from '../revocation/restore-end.ts';
import { KeyNotRecoveredError } from '../revocation/restore-key.ts';
import type { Services } from '../services.ts';
import type { Settings } from '../settings/settings.ts';
import { noSuchKey, unreadable } from './key-of-route.ts';
import type { RestoreRequest, RestoreResponse } from './schemas.ts';

type RestoreApiServices = ReadinessServices &
  BesideServices &
  Pick<Services, 'urgentKeys' | 'keyTrail' | 'requestKey' | 'sleep'> & {
    readonly settings: Pick<Settings, 'dualControl'>;
  };

/**
 * Restores a key, and words the answer.
 *
 * @throws {@link HttpProblem} 403 for the person who revoked, 404, 409 when another revocation is open, 502 when something
 * is not enabled again
 */
export async function handleRestore(
  key: ManagedKey,
  { revocation }: Pick<RestoreRequest, 'revocation'>,
  call: RevocationCall,
  services: RestoreApiServices,
  log: Log,
): Promise<RestoreResponse> {
  const { urgentKeys: keys, settings } = services;
  const readiness = () => restoreReadiness(key, services);
  let result: RestoredKey;
  try {
    result = await restore(
      key,
      revocation,
      call,
      { ...services, keys, readiness, dualControl: settings.dualControl },
      log,
    );
  } catch (error) {
    throw error instanceof KeyNotRecoveredError ? notRecovered(error) : unreadable(error);
  }
  if (result.versions.length === 0) throw noSuchKey();
  const body = toBody(result);
  if (isComplete(result.end)) return body;
  throw problemOf(result, body);
}

function toBody(result: RestoredKey): RestoreResponse {
  const { key, end, recovered, revocation, versions, accounts, audit, auditReceipt, warnings } = result;
  return {
    key: key.id,
    reason: end === 'nothing' ? 'NothingToRestore' : 'Restored',
    complete: isComplete(end),
    recovered,
    ...(revocation ? { revocation: revocationState(revocation) } : {}),
    versions: [...versions],
    accounts: accounts.map(({ account, ready, missing }) => ({ account, ready, missing: [...missing] })),
    audit,
    ...(auditReceipt ? { auditReceipt } : {}),
    warnings: [...warnings, ...auditWarning({ audit })],
  };
}

function problemOf(result: RestoredKey, { reason: _, ...extensions }: RestoreResponse): HttpProblem {
  const { end, recovered, revocation, unproven } = result;
  const back = recovered ? ' The key was deleted and has been recovered; it is revoked as before.' : '';
  switch (end) {
    case 'secondPerson':
      return refused('SecondPersonNeeded', back, { recovered });
    case 'revokersUnread':
      return refused('RevokersUnread', `${back}${unproven ? ` ${describe(unproven)}` : ''}`, { recovered });
    case 'unbelieved':
      return refused(
        'RevocationUnbelieved',
        `${back} No revocation is open that counts. Nothing was enabled.`,
        extensions,
      );
    case 'otherRevocation':
      return new HttpProblem('OtherRevocation', {
        detail: `${REFUSALS.OtherRevocation.sentence}${back} Nothing was enabled.`,
        nextStep: `Read the key's status. If it is the open revocation that you mean to restore, send "revocation": "${revocation?.id}".`,
        extensions: { recovered, revocation: revocation && revocationState(revocation) },
      });
    case 'overtaken':
      return refused('RestoreOvertaken', '', extensions);
    default:
      return new HttpProblem('RestoreIncomplete', {
        detail: unproven
          ? `The result is not verified, because the versions could not be read again: ${describe(unproven)}`
          : 'Some versions that the revocation disabled are not enabled again; "versions" says which.',
        extensions,
      });
  }
}

function refused(reason: Refusal, more: string, extensions: Readonly<Record<string, unknown>>): HttpProblem {
  return new HttpProblem(reason, { detail: `${REFUSALS[reason].sentence}${more}`, extensions });
}

function notRecovered({ cause }: KeyNotRecoveredError): HttpProblem {
  const failure = describeFailure(cause);
  const forbidden = failure.kind === 'forbidden';
  return new HttpProblem(forbidden ? 'MissingPermission' : 'ServiceUnavailable', {
    status: 502,
    detail: `The key is deleted, and Key Vault did not recover it: ${describe(failure)}`,
    nextStep: forbidden
      ? "Give the app's identity the data action Microsoft.KeyVault/vaults/keys/recover/action on the vault, or recover the key yourself with `az keyvault key recover`; then repeat the call."
      : 'Repeat the call in a minute: Key Vault may be at it still.',
    cause,
  });
}
