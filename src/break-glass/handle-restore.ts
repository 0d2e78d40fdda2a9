import { describe, describeFailure } from '../azure/failure.ts';
import type { Caller } from '../http/caller.ts';
import { HttpProblem } from '../http/problem.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import { inTime, watchEffect, writeDown } from '../revocation/record-revocation.ts';
import { KeyNotRecoveredError, type KeyRestoration, restoreKey } from '../revocation/restore-key.ts';
import type { Services } from '../services.ts';
import { KEY_WORK } from '../work/messages.ts';
import { noSuchKey, unreadable } from './key-of-route.ts';
import { preflight } from './restore-preflight.ts';
import type { RestoreRequest, RestoreResponse } from './schemas.ts';
import { recordOf } from './to-json.ts';
import { auditWarning } from './warnings.ts';

/**
 * Restores a key: exactly what the revocation disabled, by a second person. What an account still lacks is named, so that
 * nobody waits for access that cannot come back. Afterwards every dependent is looked at.
 *
 * @throws {@link HttpProblem} 403 for the person who revoked, 404, 502 when something is not enabled again
 */
export async function handleRestore(
  key: ManagedKey,
  request: RestoreRequest,
  caller: Caller,
  correlationId: string,
  services: Services,
  log: Log,
): Promise<RestoreResponse> {
  const { urgentKeys, now, sleep, settings } = services;
  let result: KeyRestoration;
  try {
    result = await restoreKey(key, caller.objectId, settings, { keys: urgentKeys, now, sleep });
  } catch (error) {
    throw error instanceof KeyNotRecoveredError ? notRecovered(error) : unreadable(error);
  }
  if (result.versions.length === 0) throw noSuchKey();
  if (result.needsSecondPerson) {
    throw new HttpProblem(
      403,
      'SecondPersonNeeded',
      `${REASONS.SecondPersonNeeded}${result.recovered ? ' The key was deleted and has been recovered; it is revoked as before.' : ''}`,
      'Ask somebody else with the app role CmkKey.Restore to make this call.',
      { extensions: { recovered: result.recovered } },
    );
  }
  const { complete, recovered, versions } = result;
  const revocation = recordOf(result.revocation);
  const restored = { key: key.id, complete, recovered, versions: [...versions] };
  if (!revocation && !recovered) {
    const audit = 'nothing to write: nothing was changed';
    return { ...restored, reason: 'NothingToRestore', accounts: [], audit, warnings: [] };
  }
  // A key that was recovered is back, whether or not it was revoked: that is a change too.
  const done = revocation ? 'Restored' : 'NothingToRestore';
  const reason = complete ? done : 'RestoreIncomplete';
  const { reason: why, ticket } = request;
  const change = { action: 'key.restore', key, caller, correlationId, why, ticket, reason, revocation } as const;
  const cause = { by: 'restore', ref: correlationId, since: now().toISOString() };
  const [audited, access, ...notDone] = await Promise.all([
    writeDown({ ...change, complete, recovered, versions }, services, log),
    preflight(key, services),
    inTime('The dependents are not looked at; the next drift check does it', () =>
      services.queue.send(KEY_WORK, { kind: 'key', key: key.id, cause, attempt: 0 }),
    ),
    inTime('The effect on the file shares is not watched', () => watchEffect(key, 'open', correlationId, services)),
  ]);
  const body: RestoreResponse = {
    ...restored,
    reason: done,
    revocation,
    accounts: access.accounts,
    ...audited,
    warnings: [...access.warnings, ...auditWarning(audited.audit), ...notDone.flat()],
  };
  if (complete) return body;
  const { reason: _, ...extensions } = body;
  throw new HttpProblem(
    502,
    'RestoreIncomplete',
    result.unproven
      ? `The versions could not be read again as proof: ${describe(result.unproven)}`
      : 'Some versions that the revocation disabled are not enabled again; "versions" says which.',
    'Repeat the same call: it finishes what is missing and leaves the rest.',
    { extensions },
  );
}

function notRecovered({ cause }: KeyNotRecoveredError): HttpProblem {
  const failure = describeFailure(cause);
  const forbidden = failure.kind === 'forbidden';
  return new HttpProblem(
    502,
    forbidden ? 'MissingPermission' : 'ServiceUnavailable',
    `The key is deleted, and Key Vault did not recover it: ${describe(failure)}`,
    forbidden
      ? "Give the app's identity the data action Microsoft.KeyVault/vaults/keys/recover/action on the vault, or recover the key yourself with `az keyvault key recover`; then repeat the call."
      : 'Repeat the call in a minute: Key Vault may be at it still.',
    { cause },
  );
}
