import type { Change } from '../../../audit/journal.ts';
import { withDeadline } from '../../../azure/deadline.ts';
import { describeAnswerOf } from '../../../azure/failure.ts';
import { getLastName } from '../../../azure/resource-id.ts';
import { CmkError, getMessage } from '../../../errors/errors.ts';
import { REFUSALS } from '../../../errors/refusals.ts';
import { formatCount } from '../../../formats/text.ts';
import { checkRestoreReadiness } from '../../../identities/restore-readiness.ts';
import type { BlastRadius } from '../../../key-users/dependent.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import { SECOND_WAY } from '../../../revocation/read-only-vault.ts';
import { listAuditWarnings, NOT_AUDITED } from '../../../revocation/record-revocation.ts';
import { type RestoredKey, restore } from '../../../revocation/restore.ts';
import { formatRestoreCommand } from '../../../revocation/restore-command.ts';
import { findRestoreRefusal, isComplete } from '../../../revocation/restore-key.ts';
import { planReopen } from '../../../revocation/restore-plans.ts';
import { isNamed, newId, readRevocation } from '../../../revocation/revocation.ts';
import { type Revoked, revoke } from '../../../revocation/revoke.ts';
import { createKeyNotFound, formatKeyName } from '../../../revocation/usable-key.ts';
import { getRevocationState, reportVersions } from '../../../revocation/version-report.ts';
import { type Environment, readDualControl } from '../../../settings/settings.ts';
import { requestByMessage } from '../../../work/work-queue-client.ts';
import { type AppRecord, createCallBy, NO_LOG } from '../app-storage.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { createKeyIn, lookUpVault } from '../resolve.ts';
import { describeRadius, readBlastRadiusAsOperator, readOnlySettings } from './blast-radius-of.ts';

/** Deadlines for reading dependents, in milliseconds: longer in a dry run than in a revocation. */
const DRY_RUN_MS = 60_000;
const DEPENDENTS_MS = 5_000;

interface BreakGlassOptions {
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
  if (versions.length === 0) throw createKeyNotFound(key);

  const report = reportVersions(versions, [], versions, azure.now());

  for (const version of versions.filter(({ enabled }) => enabled)) {
    journal.planned(versionChange(key, 'disabled', version.version));
  }

  describeRadius(dependents, journal);

  // Always noted: an operator would otherwise expect the list of a dry run to be complete.
  if (dependents) {
    journal.note('The list may be incomplete: Azure silently omits resources that this sign-in may not read.');
  }

  const nothing = { revocation: undefined, elapsedMs: 0, ...NOT_AUDITED };

  return { key: key.id, complete: false, versions: report, dependents, ...nothing };
}

/**
 * Disables every version of a key, with the code and the records of the app's API. It needs only Key Vault and a token.
 * Waits only briefly for Azure Resource Manager and the app's storage.
 */
export async function revokeAsOperator(
  key: ManagedKey,
  { reason: why, ticket, environment, app }: BreakGlassOptions,
  operation: Operation,
) {
  const { azure, journal } = operation;
  const operator = await azure.operator();
  const { urgentKeys: keys, now, sleep } = azure;
  const result = await revoke(
    key,
    { ...createCallBy(operator), why, ticket },
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
  if (!result) throw createKeyNotFound(key);

  reportRevocation(key, result, environment, operation);

  const { complete, versions, elapsedMs, dependents, audit, auditReceipt } = result;

  for (const warning of listAuditWarnings({ audit })) journal.note(warning);

  const revocation = result.revocation && getRevocationState(result.revocation);
  const { reason } = result;
  const about = { key: result.key.id, reason, complete, revocation, versions, elapsedMs, dependents, audit };

  return { ...about, ...(auditReceipt ? { auditReceipt } : {}) };
}

const DELETED_MEANWHILE =
  'The key was deleted meanwhile. A recovery brings back its versions as they were, enabled ones too: if the key is recovered, revoke it again.';

function reportRevocation(
  key: ManagedKey,
  result: Revoked<BlastRadius | undefined>,
  environment: Environment,
  { journal }: Operation,
): void {
  const { versions, complete, unproven, unrecorded, restored, revocation, isDeleted } = result;
  const disabled = versions.filter(({ before, after }) => before !== 'Disabled' && after === 'Disabled');

  for (const { version } of disabled) journal.done(versionChange(key, 'disabled', version));

  const before = versions.length - disabled.length;
  if (disabled.length === 0 && complete) journal.found('every version is disabled already');
  else if (before > 0) journal.found(`${formatCount(before, 'version')} disabled before`);
  if (restored) journal.note('A restore of this revocation is in progress and enables its versions again.');

  noteUnproven(unproven, journal);

  if (isDeleted) journal.note(DELETED_MEANWHILE);

  for (const { version, after, error } of isDeleted ? [] : versions) {
    if (after !== 'Disabled') {
      journal.note(`Version ${version} of ${key.id} is NOT disabled${error ? `: ${error}` : ''}.`);
    }
  }

  if (result.reason === 'VaultReadOnly') noteSecondWay(journal);
  else if (!complete && !isDeleted) journal.note('Run the same command again: it completes the revocation.');

  if (unrecorded.length > 0) {
    journal.note(`A restore will not enable these versions, because no tag records them: ${unrecorded.join(', ')}`);
  }

  for (const warning of result.warnings) journal.note(warning);

  describeRadius(result.dependents, journal);

  if (!complete || !revocation) return;

  const who = readDualControl(environment) ? 'To restore access, a second person runs' : 'To restore access';

  journal.note(`${who}: ${formatRestoreCommand(key, revocation)}`);
}

function noteSecondWay(journal: Operation['journal']): void {
  journal.note(`VaultReadOnly: ${REFUSALS.VaultReadOnly.sentence}`);
  journal.note(`Remove the role of the identity of each account that depends on the key: ${SECOND_WAY}`);
  journal.note('After the failback, revoke the key too.');
}

async function radius(
  key: ManagedKey,
  azure: Azure,
  environment: Environment,
  ms: number,
): Promise<BlastRadius | undefined> {
  try {
    return await readBlastRadiusAsOperator(key, azure, environment, ms);
  } catch {
    return undefined; // for example wrong settings: they must not block a revocation
  }
}

/** Longest search for the vault of a key, in milliseconds. */
const FIND_VAULT_MS = 3_000;

interface RestoreOptions extends BreakGlassOptions {
  readonly revocation: string;
  /** Whether the caller must not be the person who revoked. */
  readonly dualControl: boolean;
}

/** Enables exactly the versions that the named revocation disabled, with the code and the records of the app's API. */
export async function restoreAsOperator(key: ManagedKey, options: RestoreOptions, operation: Operation) {
  const { azure, journal } = operation;
  const operator = await azure.operator();
  if (journal.dryRun) return previewRestore(key, operator.objectId, options, operation);

  const { reason: why, ticket, revocation, dualControl, environment, app } = options;
  const { urgentKeys: keys, now, sleep } = azure;
  const result = await restore(
    key,
    revocation,
    { ...createCallBy(operator), why, ticket },
    {
      ...app,
      requestKey: requestByMessage(app.queue),
      keys,
      now,
      sleep,
      dualControl,
      readiness: () => readiness(key, azure, environment),
    },
    NO_LOG,
  );
  if (result.versions.length === 0) throw createKeyNotFound(key);
  if (result.isDeleted && result.end === 'NothingToRestore') throw deletedNotRevoked(key);

  refuse(key, result);
  reportRestore(key, result, operation);

  const { end, recovered, versions, accounts, audit, auditReceipt } = result;
  const open = result.revocation && getRevocationState(result.revocation);
  const about = { key: result.key.id, complete: isComplete(end), revocation: open };

  return { ...about, recovered, versions, accounts, audit, ...(auditReceipt ? { auditReceipt } : {}) };
}

/**
 * Checks access by the ARM id of the vault, which it searches if the operator gave none. Wrong settings of the app must
 * not block a restore.
 */
async function readiness(key: ManagedKey, azure: Azure, environment: Environment) {
  try {
    const settings = readOnlySettings(azure, environment);
    const find = () => lookUpVault(key.vault.uri, azure);
    const unseen = key.vault.id === '';
    const vault = unseen ? await withDeadline(FIND_VAULT_MS, 'No answer', find).catch(() => undefined) : undefined;

    return await checkRestoreReadiness(vault ? createKeyIn(vault, key.name, azure.cloud) : key, { ...azure, settings });
  } catch (error) {
    const why = getMessage(error);
    return { accounts: [], warnings: [`No account could be checked for its access to the key (${why})`] };
  }
}

/** @throws {@link CmkError} if no version was enabled */
function refuse(key: ManagedKey, { end, revocation }: Pick<RestoredKey, 'end' | 'revocation'>): void {
  if (end === 'Restored' || end === 'NothingToRestore' || end === 'RestoreIncomplete') return;
  const { sentence, nextStep } = REFUSALS[end];
  const command = formatRestoreCommand(key, { id: revocation?.id ?? '' });
  if (end === 'SecondPersonNeeded') throw new CmkError(end, sentence, `Ask a second person to run it: ${command}`);
  if (end !== 'OtherRevocation' || !revocation) throw new CmkError(end, sentence, nextStep);
  const which = `It is ${revocation.id}, of ${revocation.revokedOn.toISOString()}.`;
  throw new CmkError(end, `${sentence} ${which}`, `To restore that revocation: ${command}`);
}

function reportRestore(key: ManagedKey, result: RestoredKey, { journal }: Operation): void {
  const { end, recovered, versions, unproven, accounts, warnings, audit, changed } = result;
  if (recovered) journal.done(recovery(key));

  const enabled = versions.filter(
    ({ before, after }) => before === 'Disabled' && after !== 'Disabled' && after !== 'Unknown',
  );

  for (const { version } of enabled) journal.done(versionChange(key, 'enabled', version));

  if (end === 'NothingToRestore') journal.found(NOTHING_OPEN);
  if (end === 'Restored' && !changed) journal.found(restoredAlready(result.revocation?.id ?? ''));

  noteUnproven(unproven, journal);
  for (const { version, error } of versions) {
    if (error) journal.note(`Version ${version}: ${error}`);
  }

  if (end === 'RestoreIncomplete' && result.left.lost.length === 0) {
    journal.note('Run the same command again: it completes the restore.');
  }

  for (const { account, ready, missing } of accounts) {
    const name = getLastName(account);

    if (ready === true) {
      journal.found(`${name} can use the key again`);
    } else {
      const what =
        ready === false ? `${name} cannot use the key yet` : `It is unknown whether ${name} can use the key again`;
      journal.note(`${what}: ${missing.join(' ') || 'the missing rights could not be read'}`);
    }
  }

  for (const warning of [...warnings, ...(changed ? listAuditWarnings({ audit }) : [])]) journal.note(warning);
}

const NOTHING_OPEN = 'no revocation of this key is open';

function restoredAlready(revocation: string): string {
  return `revocation ${revocation} is restored already`;
}

async function previewRestore(
  key: ManagedKey,
  objectId: string,
  { revocation, dualControl }: RestoreOptions,
  { azure, journal }: Operation,
) {
  const listed = await azure.urgentKeys.listVersions(key);
  const deleted = listed.length === 0 ? await azure.urgentKeys.deletedVersion(key) : undefined;
  if (listed.length === 0 && !deleted) throw createKeyNotFound(key);

  const versions = deleted ? [deleted] : listed;
  const { open, restored, unbelieved } = readRevocation(versions, azure.now());
  if (deleted && !open && unbelieved.length === 0) throw deletedNotRevoked(key);
  if (deleted) journal.planned(recovery(key));

  if (!open && isNamed(restored?.id, revocation)) {
    journal.found(restoredAlready(revocation));
  } else {
    const end = findRestoreRefusal(versions, { revocation, restoredBy: objectId, dualControl }, azure.now());
    if (end) refuse(key, { end, revocation: open });
    if (!open) journal.found(NOTHING_OPEN);
  }

  const reopen = open ? planReopen(versions, open, azure.now()) : [];

  for (const { version } of reopen) journal.planned(versionChange(key, 'enabled', version.version));

  return {
    key: key.id,
    complete: false,
    recovered: false,
    revocation: open && getRevocationState(open),
    versions: reportVersions(versions, [], versions, azure.now()),
    accounts: [],
    ...NOT_AUDITED,
  };
}

function deletedNotRevoked(key: ManagedKey): CmkError {
  return new CmkError(
    'KeyNotFound',
    `The key ${formatKeyName(key)} is soft-deleted, and its newest version has no record of an open revocation; nothing was changed.`,
    'A restore recovers a deleted key only to end its revocation. If the key should come back: az keyvault key recover',
  );
}

function recovery(key: ManagedKey): Change {
  return { text: `key ${formatKeyName(key)} recovered from deletion`, action: 'key.recover', resource: key.id };
}

function versionChange({ id }: ManagedKey, becomes: 'enabled' | 'disabled', version: string): Change {
  const action = becomes === 'enabled' ? 'version.enable' : 'version.disable';
  return { text: `version ${version} ${becomes}`, action, resource: `${id}/${version}` };
}

function noteUnproven(unproven: RestoredKey['unproven'], journal: Operation['journal']): void {
  if (!unproven) return;
  journal.note(
    `The result is not verified, because the versions could not be read again: ${describeAnswerOf(unproven)}`,
  );
}
