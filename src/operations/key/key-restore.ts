import { abortAfter, untilAborted } from '../../azure/deadline.ts';
import { describe, errorText } from '../../azure/failure.ts';
import { lastName } from '../../azure/resource-id.ts';
import { CmkError, messageOf } from '../../errors.ts';
import { restoreReadiness } from '../../identities/restore-readiness.ts';
import { asSpelled, type ManagedKey } from '../../keys/managed-vaults.ts';
import { REASONS } from '../../reasons.ts';
import { auditWarning, NOT_AUDITED } from '../../revocation/record-revocation.ts';
import { type AccountReadiness, type RestoredKey, restore } from '../../revocation/restore.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import { isComplete, refusedRestore } from '../../revocation/restore-key.ts';
import { planReopen } from '../../revocation/restore-plans.ts';
import { isNamed, readRevocation } from '../../revocation/revocation.ts';
import {
  type RestoredRevocation,
  reportVersions,
  revocationState,
  type VersionReport,
} from '../../revocation/version-report.ts';
import type { Environment } from '../../settings/settings.ts';
import { requestByMessage } from '../../work/work-queue-client.ts';
import { type AppRecord, callBy, NO_LOG } from '../app-storage.ts';
import type { Change } from '../journal.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { keyIn, lookForVault } from '../resolve.ts';
import { lookSettings } from './blast-radius-of.ts';
import { keyNotFound, nameOf } from './usable-key.ts';

/** How long the vault of a key is looked for, in milliseconds. */
const FIND_VAULT_MS = 3_000;

interface RestoreOptions {
  readonly reason: string;
  readonly ticket?: string | undefined;
  readonly revocation: string;
  /** Whether the restorer must be another person than the revoker. */
  readonly dualControl: boolean;
  readonly environment: Environment;
  readonly app: AppRecord;
}

interface RestoreResult {
  readonly key: string;
  readonly complete: boolean;
  /** The key was soft-deleted and has been recovered first. */
  readonly recovered: boolean;
  readonly revocation: RestoredRevocation | undefined;
  readonly versions: readonly VersionReport[];
  /** Whether each account that depends on the key can use it again. */
  readonly accounts: readonly AccountReadiness[];
  readonly audit: string;
  readonly auditReceipt?: string | undefined;
}

/** Enables what the named revocation disabled, and nothing else; the same code and record as the app's API. */
export async function restoreAsOperator(
  key: ManagedKey,
  options: RestoreOptions,
  operation: Operation,
): Promise<RestoreResult> {
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
  const of = result.revocation && revocationState(result.revocation);
  return {
    key: result.key.id,
    complete: isComplete(end),
    recovered,
    revocation: of,
    versions,
    accounts,
    audit,
    auditReceipt,
  };
}

/**
 * Access is read by the ARM id of the vault, which is looked for where the key was named without it. Settings of the app that
 * are wrong must not stand in the way of a restore.
 */
async function readiness(key: ManagedKey, azure: Azure, environment: Environment) {
  try {
    const settings = lookSettings(azure, environment);
    const unseen: string[] = [];
    let seen = key;
    const look = async (): Promise<void> => {
      const vault = await lookForVault(key.vault.uri, azure);
      if (vault) seen = keyIn(vault, key.name, azure.cloud);
    };
    if (key.vault.id === '') {
      await abortAfter((signal) => untilAborted(look(), signal), FIND_VAULT_MS).catch((error: unknown) => {
        unseen.push(`The vault was not found: ${errorText(error)}`);
      });
    }
    const { accounts, warnings } = await restoreReadiness(seen, { ...azure, settings });
    return { accounts, warnings: [...unseen, ...warnings] };
  } catch (error) {
    const why = messageOf(error);
    return { accounts: [], warnings: [`No account could be checked for its access to the key (${why})`] };
  }
}

/** @throws {@link CmkError} when nothing was enabled */
function refuse(key: ManagedKey, { end, revocation }: Pick<RestoredKey, 'end' | 'revocation'>): void {
  if (end === 'SecondPersonNeeded') {
    const nextStep = `Ask a second person to run it: ${restoreCommand(key, { id: revocation?.id ?? '' })}`;
    throw new CmkError('SecondPersonNeeded', REASONS.SecondPersonNeeded, nextStep);
  }
  if (end === 'RestoreOvertaken') {
    const nextStep = 'Find out who revoked the key and why before you restore it.';
    throw new CmkError('RestoreOvertaken', REASONS.RestoreOvertaken, nextStep);
  }
  if (end === 'RevocationUnbelieved') {
    const nextStep =
      'Look at the clock of this machine: a record of more than six minutes ahead does not count. If it is right, read cmk-revocation in the tags of the versions, and enable by hand what has to be on.';
    throw new CmkError('RevocationUnbelieved', REASONS.RevocationUnbelieved, nextStep);
  }
  if (end !== 'OtherRevocation' || !revocation) return;
  throw new CmkError(
    'OtherRevocation',
    `${REASONS.OtherRevocation} It is ${revocation.id}, of ${revocation.revokedOn.toISOString()}.`,
    `If that is the one you mean: ${restoreCommand(key, revocation)}`,
  );
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
  if (end === 'RestoreIncomplete') journal.note('Run the same command again: it finishes what is missing.');
  for (const { account, ready, missing } of accounts) {
    const name = lastName(account);
    if (ready === true) journal.found(`${name} can use the key again`);
    else {
      const what =
        ready === false ? `${name} cannot use the key yet` : `It is not known whether ${name} can use the key again`;
      journal.note(`${what}: ${missing.join(' ') || 'what it lacks could not be read'}`);
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
): Promise<RestoreResult> {
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
