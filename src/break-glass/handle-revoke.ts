import { abortAfter } from '../azure/deadline.ts';
import { describe } from '../azure/failure.ts';
import { type BlastRadius, type BlastRadiusServices, readBlastRadius } from '../dependents/blast-radius.ts';
import { HttpProblem } from '../http/problem.ts';
import { asSpelled, type ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import type { RevocationCall } from '../revocation/follow-ups.ts';
import { revocationState } from '../revocation/key-state.ts';
import { auditWarning, type BesideServices, NOT_AUDITED } from '../revocation/record-revocation.ts';
import { type Revoked, revoke } from '../revocation/revoke.ts';
import { reportVersions } from '../revocation/version-report.ts';
import type { Services } from '../services.ts';
import type { DriftSettings } from '../settings/settings.ts';
import { dependentsOf, lockoutWarning } from '../views/key.ts';
import { readKeyUsage } from '../views/key-usage.ts';
import { listOrRefuse, noSuchKey, unreadable } from './key-of-route.ts';
import type { RevokeRequest, RevokeResponse } from './schemas.ts';

/** A dry run may take its time; a revocation waits no longer than this for what depends on the key. Milliseconds. */
const DRY_RUN_MS = 60_000;
const DEPENDENTS_MS = 1_500;

type RevokeApiServices = BlastRadiusServices & BesideServices & Pick<Services, 'urgentKeys' | 'newId' | 'sleep'>;

/** What a revocation would do, without doing it. */
export async function dryRunRevoke(
  key: ManagedKey,
  services: RevokeApiServices &
    Pick<Services, 'usageLog'> & { readonly settings: { readonly drift: Pick<DriftSettings, 'usageWorkspace'> } },
): Promise<RevokeResponse> {
  const versions = await listOrRefuse(key, services);
  if (versions.length === 0) throw noSuchKey();
  const [dependents, usage] = await Promise.all([
    abortAfter((signal) => readBlastRadius(key, services, { signal }), DRY_RUN_MS),
    readKeyUsage(key, services.settings.drift.usageWorkspace, services, DRY_RUN_MS),
  ]);
  return {
    key: asSpelled(key, versions).id,
    reason: 'DryRun',
    complete: false,
    versions: reportVersions(versions, [], versions, services.now()),
    elapsedMs: 0,
    dependents: dependentsOf(dependents),
    ...usage,
    ...NOT_AUDITED,
    warnings: lockoutWarning(dependents),
  };
}

/**
 * Revokes a key, and words the answer.
 *
 * @throws {@link HttpProblem} 404, 502 when it is not proved that every version is disabled
 */
export async function handleRevoke(
  key: ManagedKey,
  call: RevocationCall,
  services: RevokeApiServices,
  log: Log,
): Promise<RevokeResponse> {
  const { urgentKeys: keys } = services;
  const dependents = () => abortAfter((signal) => readBlastRadius(key, services, { signal }), DEPENDENTS_MS);
  let result: Revoked<BlastRadius> | undefined;
  try {
    result = await revoke(key, call, { ...services, keys, dependents }, log);
  } catch (error) {
    throw unreadable(error);
  }
  if (!result) throw noSuchKey();
  const body = toBody(result);
  if (result.complete) return body;
  const { reason: _, ...extensions } = body;
  throw new HttpProblem('RevocationIncomplete', { detail: whatIsOpen(result), extensions });
}

function toBody(result: Revoked<BlastRadius>): RevokeResponse {
  const { key, complete, revocation, versions, elapsedMs, dependents, audit, auditReceipt, warnings } = result;
  return {
    key: key.id,
    reason: 'Revoked',
    complete,
    revocation: revocation && revocationState(revocation),
    versions: [...versions],
    elapsedMs,
    dependents: dependentsOf(dependents),
    audit,
    ...(auditReceipt ? { auditReceipt } : {}),
    warnings: [...lockoutWarning(dependents), ...unrecordedWarning(result), ...auditWarning({ audit }), ...warnings],
  };
}

function whatIsOpen({ unproven, restored, versions }: Revoked<BlastRadius>): string {
  if (restored) return 'A restore of this revocation runs already and enables its versions again.';
  if (unproven)
    return `The result is not verified, because the versions could not be read again: ${describe(unproven)}`;
  const open = versions.filter(({ after }) => after !== 'Disabled').map(({ version }) => version);
  return `${open.length} of ${versions.length} versions are not disabled: ${open.join(', ')}.`;
}

/** @throws {@link HttpProblem} 400 when a call does not confirm the key that it is about */
export function checkConfirmation({ confirm }: RevokeRequest, key: ManagedKey): void {
  const wanted = `${key.vault.name}/${key.name}`;
  if (confirm.toLowerCase() === wanted.toLowerCase()) return;
  throw new HttpProblem('ConfirmationWrong', {
    detail: '"confirm" does not name the key of this call. Nothing was changed.',
    nextStep: `Send "confirm": "${wanted}" if this is the key that you mean.`,
  });
}

function unrecordedWarning({ unrecorded, revocation, complete }: Revoked<BlastRadius>): string[] {
  return [
    ...(unrecorded.length > 0
      ? [
          `A restore will leave these versions off, since they have no tag to spare for the record: ${unrecorded.join(', ')}.`,
        ]
      : []),
    ...(complete && !revocation
      ? [
          'No version of the key carries the record of this revocation, so a version that is made later is not kept disabled. Take a tag off one of the versions and repeat the call.',
        ]
      : []),
  ];
}
