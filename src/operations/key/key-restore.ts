import { withDeadline } from '../../azure/deadline.ts';
import { describe } from '../../azure/failure.ts';
import { lastName } from '../../azure/resource-id.ts';
import { CmkError, messageOf } from '../../errors.ts';
import { restoreReadiness } from '../../identities/restore-readiness.ts';
import { asSpelled, type ManagedKey } from '../../keys/managed-vaults.ts';
import { REFUSALS } from '../../refusals.ts';
import { auditWarning, NOT_AUDITED } from '../../revocation/record-revocation.ts';
import { type RestoredKey, restore } from '../../revocation/restore.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import { isComplete, refusedRestore } from '../../revocation/restore-key.ts';
import { planReopen } from '../../revocation/restore-plans.ts';
import { isNamed, readRevocation } from '../../revocation/revocation.ts';
import { reportVersions, revocationState } from '../../revocation/version-report.ts';
import type { Environment } from '../../settings/settings.ts';
import { requestByMessage } from '../../work/work-queue-client.ts';
import { type AppRecord, callBy, NO_LOG } from '../app-storage.ts';
import type { Change } from '../journal.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { keyIn, lookUpVault } from '../resolve.ts';
import { readOnlySettings } from './blast-radius-of.ts';
import { keyNotFound, nameOf } from './usable-key.ts';

/** Longest search for the vault of a key, in milliseconds. */
const FIND_VAULT_MS = 3_000;

interface RestoreOptions {
  readonly reason: string;
  readonly ticket?: string | undefined;
  readonly revocation: string;
  /** Whether the caller must not be the person who revoked. */
  readonly dualControl: boolean;
  readonly environment: Environment;
  readonly app: AppRecord;
}

/** Enables exactly the versions that the named revocation disabled, with the code and the records of the app's API. */
export async function restoreAsOperator(key: ManagedKey, options: RestoreOptions, operation: Operation) {
  const { azure, journal } = operation;
  const operator = await azure.operator();
  if (journal.dryRun) return preview(key, operator.objectId, options, operation);
  const { reason: why, ticket, revocation, dualControl, environment, app } = options;
  const { urgentKeys: keys, now, sleep } = azure;
  const result = await restore(
    key,
    revocation,
    { ...callBy(operator), why, ticket },
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
  if (result.versions.length === 0) throw keyNotFound(key);
  refuse(key, result);
  report(key, result, operation);
  const { end, recovered, versions, accounts, audit, auditReceipt } = result;
  const open = result.revocation && revocationState(result.revocation);
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
    return await restoreReadiness(vault ? keyIn(vault, key.name, azure.cloud) : key, { ...azure, settings });
  } catch (error) {
    const why = messageOf(error);
    return { accounts: [], warnings: [`No account could be checked for its access to the key (${why})`] };
  }
}

/** @throws {@link CmkError} if no version was enabled */
function refuse(key: ManagedKey, { end, revocation }: Pick<RestoredKey, 'end' | 'revocation'>): void {
  if (end === 'Restored' || end === 'NothingToRestore' || end === 'RestoreIncomplete') return;
  const { sentence, nextStep } = REFUSALS[end];
  const command = restoreCommand(key, { id: revocation?.id ?? '' });
  if (end === 'SecondPersonNeeded') throw new CmkError(end, sentence, `Ask a second person to run it: ${command}`);
  if (end !== 'OtherRevocation' || !revocation) throw new CmkError(end, sentence, nextStep);
  const which = `It is ${revocation.id}, of ${revocation.revokedOn.toISOString()}.`;
  throw new CmkError(end, `${sentence} ${which}`, `To restore that revocation: ${command}`);
}

function report(key: ManagedKey, result: RestoredKey, { journal }: Operation): void {
  const { end, recovered, versions, unproven, accounts, warnings, audit, changed } = result;
  if (recovered) journal.done(recovery(key));
  const enabled = versions.filter(
    ({ before, after }) => before === 'Disabled' && after !== 'Disabled' && after !== 'Unknown',
  );
  for (const { version } of enabled) journal.done(enabling(key, version));
  if (end === 'NothingToRestore') journal.found(NOTHING_OPEN);
  if (end === 'Restored' && !changed) journal.found(restoredAlready(result.revocation?.id ?? ''));
  if (unproven)
    journal.note(`The result is not verified, because the versions could not be read again: ${describe(unproven)}`);
  for (const { version, error } of versions) if (error) journal.note(`Version ${version}: ${error}`);
  if (end === 'RestoreIncomplete') journal.note('Run the same command again: it completes the restore.');
  for (const { account, ready, missing } of accounts) {
    const name = lastName(account);
    if (ready === true) journal.found(`${name} can use the key again`);
    else {
      const what =
        ready === false ? `${name} cannot use the key yet` : `It is unknown whether ${name} can use the key again`;
      journal.note(`${what}: ${missing.join(' ') || 'the missing rights could not be read'}`);
    }
  }
  for (const warning of [...warnings, ...(changed ? auditWarning({ audit }) : [])]) journal.note(warning);
}

const NOTHING_OPEN = 'no revocation of this key is open';

function restoredAlready(revocation: string): string {
  return `revocation ${revocation} is restored already`;
}

async function preview(
  key: ManagedKey,
  objectId: string,
  { revocation, dualControl }: RestoreOptions,
  { azure, journal }: Operation,
) {
  const listed = await azure.urgentKeys.listVersions(key);
  const deleted = listed.length === 0 ? await azure.urgentKeys.deletedVersion(key) : undefined;
  if (listed.length === 0 && !deleted) throw keyNotFound(key);
  if (deleted) journal.planned(recovery(key));
  const versions = deleted ? [deleted] : listed;
  const { open, restored } = readRevocation(versions, azure.now());
  if (!open && isNamed(restored?.id, revocation)) journal.found(restoredAlready(revocation));
  else {
    const end = refusedRestore(versions, { revocation, restoredBy: objectId, dualControl }, azure.now());
    if (end) refuse(key, { end, revocation: open });
    if (!open) journal.found(NOTHING_OPEN);
  }
  const reopen = open ? planReopen(versions, open, azure.now()) : [];
  for (const { version } of reopen) journal.planned(enabling(key, version.version));
  return {
    key: asSpelled(key, versions).id,
    complete: false,
    recovered: false,
    revocation: open && revocationState(open),
    versions: reportVersions(versions, [], versions, azure.now()),
    accounts: [],
    ...NOT_AUDITED,
  };
}

function recovery(key: ManagedKey): Change {
  return { text: `key ${nameOf(key)} recovered from deletion`, action: 'key.recover', resource: key.id };
}

function enabling(key: ManagedKey, version: string): Change {
  return { text: `version ${version} enabled`, action: 'version.enable', resource: `${key.id}/${version}` };
}
