import { describe } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { restoreKey } from '../../revocation/restore-key.ts';
import { openRevocation, planRestore, revokers } from '../../revocation/revocation.ts';
import type { VersionReport } from '../../revocation/version-report.ts';
import { reportVersions } from '../../revocation/version-report.ts';
import type { Procedure } from '../operator-azure.ts';
import type { AppRecord } from './app-record.ts';
import { forReport, noSuchKey, type RevokeResult } from './key-revoke.ts';

export interface RestoreOptions {
  readonly reason: string;
  readonly ticket?: string | undefined;
  /** Whether somebody else than who revoked has to do it. */
  readonly dualControl: boolean;
  readonly app: AppRecord;
}

export interface RestoreResult {
  readonly key: string;
  readonly complete: boolean;
  /** The key was soft-deleted and has been recovered first. */
  readonly recovered: boolean;
  readonly revocation: RevokeResult['revocation'];
  readonly versions: readonly VersionReport[];
  readonly audit: string;
}

/** Enables what the open revocation disabled, and nothing else; the same code and record as the app's API. */
export async function restore(key: ManagedKey, options: RestoreOptions, procedure: Procedure): Promise<RestoreResult> {
  const { azure, journal } = procedure;
  const operator = await azure.operator();
  if (journal.dryRun) return preview(key, operator.objectId, options.dualControl, procedure);
  const { urgentKeys: keys, now, sleep } = azure;
  const result = await restoreKey(key, operator.objectId, options, { keys, now, sleep });
  if (result.versions.length === 0) throw noSuchKey(key);
  if (result.needsSecondPerson) throw needsSecondPerson(key);
  if (result.recovered)
    await journal.change(`key ${key.vault.name}/${key.name} recovered from deletion`, async () => {});
  const opened = result.versions.filter(
    ({ before, after }) => before === 'Disabled' && after !== 'Disabled' && after !== 'Unknown',
  );
  for (const { version } of opened) await journal.change(`version ${version} enabled`, async () => {});
  if (!result.revocation) journal.found('no revocation of this key is open');
  if (result.unproven) journal.note(`The versions could not be read again as proof: ${describe(result.unproven)}`);
  for (const { version, error } of result.versions) if (error) journal.note(`Version ${version}: ${error}`);
  if (!result.complete) journal.note('Run the same command again: it finishes what is missing.');

  const revocation = result.revocation && forReport(result.revocation);
  let audit = 'nothing to write: nothing was changed';
  if (revocation) {
    const { complete, versions } = result;
    const details = { why: options.reason, ticket: options.ticket, revocation, complete, versions, by: 'cmk' };
    audit = await options.app.audit({
      action: 'key.restore',
      reason: complete ? 'Restored' : 'RestoreIncomplete',
      key,
      operator,
      details,
    });
    if (audit !== 'written') journal.note(`Not in the audit trail: ${audit}`);
    const queued = await options.app.enqueue(key, 'restore');
    journal.note(
      queued === 'queued'
        ? 'The app looks at every account that depends on the key now.'
        : `The app does not look at the accounts before its next drift check (${queued}).`,
    );
  }
  const { complete, recovered, versions } = result;
  return { key: key.id, complete, recovered, revocation, versions, audit };
}

async function preview(
  key: ManagedKey,
  objectId: string,
  dualControl: boolean,
  { azure, journal }: Procedure,
): Promise<RestoreResult> {
  const versions = await azure.urgentKeys.listVersions(key);
  if (versions.length === 0) {
    if (!(await azure.keyAdmin.isDeleted(key))) throw noSuchKey(key);
    await journal.change(`key ${key.vault.name}/${key.name} recovered from deletion`, async () => {});
  }
  const open = openRevocation(versions);
  if (!open) journal.found('no revocation of this key is open');
  if (dualControl && revokers(versions).includes(objectId)) throw needsSecondPerson(key);
  for (const { version } of planRestore(versions)) {
    await journal.change(`version ${version.version} enabled`, async () => {});
  }
  return {
    key: key.id,
    complete: false,
    recovered: false,
    revocation: open && forReport(open),
    versions: reportVersions(versions, [], versions, azure.now()),
    audit: 'nothing to write: nothing was changed',
  };
}

function needsSecondPerson(key: ManagedKey): CmkError {
  return new CmkError(
    'SecondPersonNeeded',
    `You revoked ${key.vault.name}/${key.name}, and a key is restored by somebody else.`,
    `Ask a second person to run it: cmk key restore ${key.name} --vault ${key.vault.name}`,
  );
}
