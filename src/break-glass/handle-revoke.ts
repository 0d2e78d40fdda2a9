import type { z } from 'zod';
import { describeFailure } from '../azure/failure.ts';
import { type BlastRadius, readBlastRadius } from '../dependents/blast-radius.ts';
import { timeBoxed } from '../dependents/time-box.ts';
import type { Caller } from '../http/caller.ts';
import { HttpProblem } from '../http/problem.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Services } from '../services.ts';
import { describe } from '../work/outcome.ts';
import { twice } from './apply-changes.ts';
import { audit, inTime, noSuchKey } from './handle.ts';
import { type KeyRevocation, revokeKey } from './revoke-key.ts';
import type { REVOKE_REQUEST, REVOKE_RESPONSE } from './schemas.ts';
import { reportVersions } from './version-report.ts';

/** A dry run may take its time; a revocation waits no longer than this for what depends on the key. Milliseconds. */
const DRY_RUN_MS = 60_000;
const DEPENDENTS_MS = 3_000;

type Request = z.output<typeof REVOKE_REQUEST>;
export type RevokeResponse = z.input<typeof REVOKE_RESPONSE>;

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
    dependents: readable(dependents),
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
  request: Request,
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

  const reason = result.complete ? 'Revoked' : 'RevocationIncomplete';
  const revocation = result.revocation && {
    id: result.revocation.id,
    revokedOn: result.revocation.revokedOn.toISOString(),
    revokedBy: result.revocation.revokedBy,
  };
  log({
    level: 'warning',
    reason,
    message: REASONS[reason],
    key: key.id,
    revocation,
    caller: caller.objectId,
    elapsedMs: result.elapsedMs,
    correlationId,
  });
  const { reason: why, ticket } = request;
  const details = { why, ticket, revocation, complete: result.complete, versions: result.versions };
  const [dependents, written, notQueued] = await Promise.all([
    reading,
    audit('key.revoke', reason, key, caller, correlationId, details, services),
    inTime('The effect on the file shares is not watched', () => watchEffect(key, 'blocked', correlationId, services)),
  ]);
  const body: RevokeResponse = {
    key: key.id,
    reason: 'Revoked',
    complete: result.complete,
    revocation,
    versions: [...result.versions],
    elapsedMs: result.elapsedMs,
    dependents: readable(dependents),
    audit: written,
    warnings: [...lockoutWarning(dependents), ...unrecordedWarning(result), ...auditWarning(written), ...notQueued],
  };
  if (result.complete) return body;
  const open = result.versions.filter(({ after }) => after !== 'Disabled').map(({ version }) => version);
  const { reason: _, ...extensions } = body;
  throw new HttpProblem(
    502,
    'RevocationIncomplete',
    result.unproven
      ? `The versions could not be read again as proof: ${describe(result.unproven)}`
      : `${open.length} of ${result.versions.length} versions are not disabled: ${open.join(', ')}.`,
    'Repeat the same call: it finishes what is missing. If it stays, disable the versions named with `cmk key revoke` or `az keyvault key set-attributes --enabled false`.',
    { extensions },
  );
}

/** Puts the probe of the file services to work; its results show in the key's status. */
export async function watchEffect(
  key: ManagedKey,
  expect: 'blocked' | 'open',
  correlationId: string,
  services: Pick<Services, 'queue' | 'now'>,
): Promise<void> {
  const since = services.now().toISOString();
  const cause = { by: expect === 'blocked' ? 'revoke' : 'restore', ref: correlationId, since };
  await services.queue.send('key-work', { kind: 'probe', key: key.id, expect, since, cause, attempt: 0 });
}

/** The versions, or a refusal that says that nothing was changed. */
export async function listOrRefuse(key: ManagedKey, { urgentKeys, sleep }: Pick<Services, 'urgentKeys' | 'sleep'>) {
  try {
    return await twice(() => urgentKeys.listVersions(key), sleep);
  } catch (error) {
    throw unreadable(error);
  }
}

export function unreadable(error: unknown): HttpProblem {
  const failure = describeFailure(error);
  return new HttpProblem(
    502,
    failure.kind === 'forbidden' ? 'VaultUnreadable' : 'ServiceUnavailable',
    `Key Vault did not list the versions of the key: ${describe(failure)} Nothing was changed.`,
    failure.kind === 'forbidden'
      ? "Give the app's identity its role on the vault again (see docs/deploy.md); meanwhile use `cmk key revoke` with your own sign-in."
      : 'Repeat the call; if it stays, use `cmk key revoke` with your own sign-in.',
    { cause: error },
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

export function readable({ key: _, ...radius }: BlastRadius): RevokeResponse['dependents'] {
  return JSON.parse(JSON.stringify(radius));
}

export function lockoutWarning({ selfLockout }: BlastRadius): string[] {
  if (selfLockout !== true) return [];
  return [
    "The app's own storage is encrypted with this key: while it is revoked, queues and audit trail of the app stop. Restore with `cmk key restore`, and move the app's storage to Microsoft-managed keys.",
  ];
}

function unrecordedWarning({ unrecorded }: KeyRevocation): string[] {
  if (unrecorded.length === 0) return [];
  return [
    `A restore will leave these versions off, since they have no tag to spare for the record: ${unrecorded.join(', ')}.`,
  ];
}

export function auditWarning(written: string): string[] {
  return written === 'written' ? [] : [`Not in the audit trail: ${written}`];
}
