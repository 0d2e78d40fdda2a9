import { timeBoxed } from '../azure/deadline.ts';
import { describe } from '../azure/failure.ts';
import { readBlastRadius } from '../dependents/blast-radius.ts';
import type { Caller } from '../http/caller.ts';
import { HttpProblem } from '../http/problem.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { inTime, watchEffect, writeDown } from '../revocation/record-revocation.ts';
import { type KeyRevocation, revokeKey } from '../revocation/revoke-key.ts';
import { reportVersions } from '../revocation/version-report.ts';
import type { Services } from '../services.ts';
import { listOrRefuse, noSuchKey, unreadable } from './key-of-route.ts';
import type { RevokeRequest, RevokeResponse } from './schemas.ts';
import { dependentsOf, recordOf } from './to-json.ts';
import { auditWarning, lockoutWarning, unrecordedWarning } from './warnings.ts';

/** A dry run may take its time; a revocation waits no longer than this for what depends on the key. Milliseconds. */
const DRY_RUN_MS = 60_000;
const DEPENDENTS_MS = 3_000;

/** What a revocation would do, without doing it. */
export async function dryRunRevoke(key: ManagedKey, services: Services): Promise<RevokeResponse> {
  const [versions, dependents] = await Promise.all([
    listOrRefuse(key, services),
    timeBoxed((signal) => readBlastRadius(key, services, { signal }), DRY_RUN_MS),
  ]);
  if (versions.length === 0) throw noSuchKey();
  return {
    key: key.id,
    reason: 'DryRun',
    complete: false,
    versions: reportVersions(versions, [], versions, services.now()),
    elapsedMs: 0,
    dependents: dependentsOf(dependents),
    audit: 'nothing to write: nothing was changed',
    warnings: lockoutWarning(dependents),
  };
}

/**
 * Revokes a key. What depends on it is read beside that, within bounds; audit, queue and inventory can be out of reach
 * altogether: the answer says so, and the key is shut all the same.
 *
 * @throws {@link HttpProblem} 400 on a wrong confirmation, 404, 502 when it is not proved that every version is disabled
 */
export async function handleRevoke(
  key: ManagedKey,
  request: RevokeRequest,
  caller: Caller,
  correlationId: string,
  services: Services,
  log: Log,
): Promise<RevokeResponse> {
  checkConfirmation(request.confirm, key);
  // Begun beside the revocation, never waited for before it.
  const reading = timeBoxed((signal) => readBlastRadius(key, services, { signal }), DEPENDENTS_MS);
  const { urgentKeys, now, sleep } = services;
  let result: KeyRevocation;
  try {
    result = await revokeKey(key, caller.objectId, { keys: urgentKeys, now, sleep });
  } catch (error) {
    throw unreadable(error);
  }
  if (result.versions.length === 0) throw noSuchKey();

  const { complete, versions, elapsedMs } = result;
  const revocation = recordOf(result.revocation);
  const reason = complete ? 'Revoked' : 'RevocationIncomplete';
  const { reason: why, ticket } = request;
  const change = { action: 'key.revoke', key, caller, correlationId, why, ticket, reason, revocation } as const;
  const [dependents, audited, notQueued] = await Promise.all([
    reading,
    writeDown({ ...change, complete, versions, elapsedMs }, services, log),
    inTime('The effect on the file shares is not watched', () => watchEffect(key, 'blocked', correlationId, services)),
  ]);
  const body: RevokeResponse = {
    key: key.id,
    reason: 'Revoked',
    complete,
    revocation,
    versions: [...versions],
    elapsedMs,
    dependents: dependentsOf(dependents),
    ...audited,
    warnings: [
      ...lockoutWarning(dependents),
      ...unrecordedWarning(result),
      ...auditWarning(audited.audit),
      ...notQueued,
    ],
  };
  if (complete) return body;
  const open = versions.filter(({ after }) => after !== 'Disabled').map(({ version }) => version);
  const { reason: _, ...extensions } = body;
  throw new HttpProblem(
    502,
    'RevocationIncomplete',
    result.unproven
      ? `The versions could not be read again as proof: ${describe(result.unproven)}`
      : `${open.length} of ${versions.length} versions are not disabled: ${open.join(', ')}.`,
    'Repeat the same call: it finishes what is missing. If it stays, disable the versions named with `cmk key revoke` or `az keyvault key set-attributes --enabled false`.',
    { extensions },
  );
}

function checkConfirmation(confirm: string, key: ManagedKey): void {
  const wanted = `${key.vault.name}/${key.name}`;
  if (confirm.toLowerCase() === wanted.toLowerCase()) return;
  throw new HttpProblem(
    400,
    'ConfirmationWrong',
    `"confirm" does not name the key of this call. Nothing was changed.`,
    `Send "confirm": "${wanted}" if this is the key that you mean.`,
  );
}
