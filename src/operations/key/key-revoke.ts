import { describe } from '../../azure/failure.ts';
import type { BlastRadius } from '../../dependents/dependent.ts';
import { asSpelled, type ManagedKey } from '../../keys/managed-vaults.ts';
import { auditWarning, NOT_AUDITED } from '../../revocation/record-revocation.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import { newId } from '../../revocation/revocation.ts';
import { type Revoked, revoke } from '../../revocation/revoke.ts';
import { reportVersions, revocationState } from '../../revocation/version-report.ts';
import type { Environment } from '../../settings/settings.ts';
import { readDualControl } from '../../settings/settings.ts';
import { count } from '../../text.ts';
import { type AppRecord, callBy, NO_LOG } from '../app-storage.ts';
import type { Change } from '../journal.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { blastRadiusOf, describeRadius } from './blast-radius-of.ts';
import { keyNotFound } from './usable-key.ts';

/** Deadlines for reading dependents, in milliseconds: longer in a dry run than in a revocation. */
const DRY_RUN_MS = 60_000;
const DEPENDENTS_MS = 5_000;

interface RevokeOptions {
  readonly reason: string;
  readonly ticket?: string | undefined;
  readonly environment: Environment;
  readonly app: AppRecord;
}

/** Shows the versions that a revocation would disable, without disabling them. */
export async function previewRevocation(key: ManagedKey, environment: Environment, { azure, journal }: Operation) {
  const [versions, dependents] = await Promise.all([
    azure.urgentKeys.listVersions(key),
    radius(key, azure, environment, DRY_RUN_MS),
  ]);
  if (versions.length === 0) throw keyNotFound(key);
  const report = reportVersions(versions, [], versions, azure.now());
  for (const version of versions.filter(({ enabled }) => enabled)) journal.planned(disabling(key, version.version));
  describeRadius(dependents, journal);
  // Always noted: an operator would otherwise expect the list of a dry run to be complete.
  if (dependents)
    journal.note('The list may be incomplete: Azure silently omits resources that this sign-in may not read.');
  const nothing = { revocation: undefined, elapsedMs: 0, ...NOT_AUDITED };
  return { key: asSpelled(key, versions).id, complete: false, versions: report, dependents, ...nothing };
}

/**
 * Disables every version of a key, with the code and the records of the app's API. It needs only Key Vault and a token.
 * Waits only briefly for Azure Resource Manager and the app's storage.
 */
export async function revokeAsOperator(
  key: ManagedKey,
  { reason: why, ticket, environment, app }: RevokeOptions,
  operation: Operation,
) {
  const { azure, journal } = operation;
  const operator = await azure.operator();
  const { urgentKeys: keys, now, sleep } = azure;
  const result = await revoke(
    key,
    { ...callBy(operator), why, ticket },
    {
      ...app,
      keys,
      now,
      sleep,
      newId,
      dependents: () => radius(key, azure, environment, DEPENDENTS_MS),
    },
    NO_LOG,
  );
  if (!result) throw keyNotFound(key);
  report(key, result, environment, operation);
  const { complete, versions, elapsedMs, dependents, audit, auditReceipt } = result;
  for (const warning of auditWarning({ audit })) journal.note(warning);
  const revocation = result.revocation && revocationState(result.revocation);
  const about = { key: result.key.id, complete, revocation, versions, elapsedMs, dependents, audit };
  return { ...about, ...(auditReceipt ? { auditReceipt } : {}) };
}

function report(
  key: ManagedKey,
  result: Revoked<BlastRadius | undefined>,
  environment: Environment,
  { journal }: Operation,
): void {
  const { versions, complete, unproven, unrecorded, restored, revocation } = result;
  const disabled = versions.filter(({ before, after }) => before !== 'Disabled' && after === 'Disabled');
  for (const { version } of disabled) journal.done(disabling(key, version));
  const before = versions.length - disabled.length;
  if (disabled.length === 0 && complete) journal.found('every version is disabled already');
  else if (before > 0) journal.found(`${count(before, 'version')} disabled before`);
  if (restored) journal.note('A restore of this revocation is in progress and enables its versions again.');
  if (unproven)
    journal.note(`The result is not verified, because the versions could not be read again: ${describe(unproven)}`);
  for (const { version, after, error } of versions) {
    if (after !== 'Disabled')
      journal.note(`Version ${version} of ${key.id} is NOT disabled${error ? `: ${error}` : ''}.`);
  }
  if (!complete) journal.note('Run the same command again: it completes the revocation.');
  if (unrecorded.length > 0) {
    journal.note(`A restore will not enable these versions, because no tag records them: ${unrecorded.join(', ')}`);
  }
  for (const warning of result.warnings) journal.note(warning);
  describeRadius(result.dependents, journal);
  if (!complete || !revocation) return;
  const who = readDualControl(environment) ? 'To restore access, a second person runs' : 'To restore access';
  journal.note(`${who}: ${restoreCommand(key, revocation)}`);
}

async function radius(
  key: ManagedKey,
  azure: Azure,
  environment: Environment,
  ms: number,
): Promise<BlastRadius | undefined> {
  try {
    return await blastRadiusOf(key, azure, environment, ms);
  } catch {
    return undefined; // for example wrong settings: they must not block a revocation
  }
}

function disabling(key: ManagedKey, version: string): Change {
  return { text: `version ${version} disabled`, action: 'version.disable', resource: `${key.id}/${version}` };
}
