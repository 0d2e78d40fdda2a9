import type { AuditEntry } from '../../../audit/record.ts';
import { canHaveTakenEffect, describeFailure } from '../../../azure/failure.ts';
import { CmkError } from '../../../errors/errors.ts';
import { REASONS } from '../../../errors/reasons.ts';
import type { ManagedKey } from '../../../keys/managed-vaults.ts';
import { formatVaultOption } from '../../../keys/vault-options.ts';
import type { RetireServices } from '../../../retirement/evidence.ts';
import {
  finishRetirements,
  type Retirement,
  type RetireOptions,
  retireUnused,
  toRetirementEntry,
} from '../../../retirement/retire-versions.ts';
import { createKeptTags, findRetiredRecord, formatRetireCommand, NOT_KNOWN } from '../../../retirement/retirement.ts';
import { NOT_AUDITED } from '../../../revocation/record-revocation.ts';
import { formatRestoreCommand } from '../../../revocation/restore-command.ts';
import { openRevocation } from '../../../revocation/revocation.ts';
import { createKeyNotFound, formatKeyName, refuseRevoked, requireVersion } from '../../../revocation/usable-key.ts';
import type { Environment } from '../../../settings/settings.ts';
import { type AppRecord, recordDone } from '../app-storage.ts';
import type { Operation } from '../operator-azure.ts';
import { readOnlySettings } from './blast-radius-of.ts';

/** Deadline of one read of all users of the key, in milliseconds. */
const READ_MS = 10 * 60_000;

/** The operator's reason and ticket, and the audit trail for them. */
interface Occasion {
  readonly why?: string | undefined;
  readonly ticket?: string | undefined;
  readonly app: Pick<AppRecord, 'audit'>;
}

export interface KeyRetireOptions extends Occasion {
  /** One version; undefined: every version that can be retired. */
  readonly version?: string | undefined;
  /**
   * `person`: the operator accepts the risk of unknown uses. `log`: only plans, with what Key Vault's log shows, because
   * the app may know users that the operator's sign-in cannot read.
   */
  readonly proof: 'log' | 'person';
  /** Id of the workspace with the vault's log; undefined: no log is available. */
  readonly workspace: string | undefined;
  readonly environment: Environment;
}

/**
 * Disables versions that no readable resource uses, after it reads all uses of the key again. That is no proof, so the
 * operator must accept the unknown uses. First completes an interrupted retirement, so that no version stays half
 * retired.
 *
 * @throws {@link CmkError} `RetirementUnproven` if the log does not show versions to be unused, and the operator does not
 *   accept the risk
 * @throws {@link CmkError} `VersionInUse` if the requested version is in use; `RetirementNotUndone` if a version that
 *   may be in use was disabled and could not be enabled again
 */
export async function retireVersions(
  key: ManagedKey,
  { version, proof, workspace, environment, ...occasion }: KeyRetireOptions,
  operation: Operation,
) {
  const { azure, journal } = operation;

  await checkVersion(key, version, operation);
  journal.waiting('reading everything that uses the key');

  const services = { ...azure, usageLog: azure.usageLog(workspace), settings: readOnlySettings(azure, environment) };
  const options = { version, readMs: READ_MS, disable: proof === 'person' && !journal.dryRun, proof };
  const all: Retirement[] = [];
  let { audit } = NOT_AUDITED;

  for await (const one of finishAndRetire(key, options, services)) {
    all.push(one);
    enterInJournal(key, one, operation);

    if (one.outcome === 'planned' && proof === 'log') {
      journal.note(
        `The log shows no use of version ${one.version.version} either. The app disables it, if it may repair RetirableVersion and knows no other user. To do it yourself: ${formatRetireCommand(key, one.version.version)}`,
      );
    }

    const entry = toRetirementEntry(key, one);
    if (entry) audit = await record({ ...entry, details: { proof, ...entry.details } }, occasion, operation);
    if (one.outcome !== 'notUndone') continue;

    const message = `${REASONS.RetirementNotUndone} ${one.version.id}: ${one.reasons.join(' ')}`;

    throw new CmkError('RetirementNotUndone', message, `${one.nextStep}.`);
  }

  const kept = all
    .filter((one) => one.outcome === 'kept' || one.outcome === 'undone')
    .map((one) => ({ version: one.version.version, reasons: one.reasons }));
  if (version !== undefined && kept[0]) {
    throw new CmkError(
      'VersionInUse',
      `Version ${version} of ${formatKeyName(key)} stays. ${kept[0].reasons.join(' ')}`,
      'Move the accounts and scopes that use it (cmk account pin), wait, and run this again.',
    );
  }

  for (const { version: stays, reasons } of kept) journal.found(`version ${stays} stays: ${reasons.join(' ')}`);

  refuseUnproven(key, all);

  const retired = all.filter(({ outcome }) => outcome === 'retired').map((one) => one.version.version);

  return { key: key.id, retired, kept, audit };
}

/** Finishes interrupted retirements before it begins others; a dry run only plans. */
async function* finishAndRetire(key: ManagedKey, options: RetireOptions, services: RetireServices) {
  if (options.disable) yield* finishRetirements(key, READ_MS, services);
  yield* retireUnused(key, options, services);
}

function refuseUnproven(key: ManagedKey, all: readonly Retirement[]): void {
  const unproven = all.filter((one) => one.outcome === 'unproven');
  if (unproven.length === 0) return;
  const which = unproven.map((one) => one.version.version);
  const why = [...new Set(unproven.flatMap(({ reasons }) => reasons))].join(' ');
  throw new CmkError(
    'RetirementUnproven',
    `No readable resource uses ${which.join(' or ')} of ${formatKeyName(key)}, but cmk did not disable it. ${why} ${NOT_KNOWN}`,
    `If none of these uses it: ${which.map((one) => formatRetireCommand(key, one)).join(' ; ')}`,
  );
}

async function checkVersion(
  key: ManagedKey,
  version: string | undefined,
  { azure, journal }: Operation,
): Promise<void> {
  const versions = await azure.keys.listVersions(key);
  if (versions.length === 0) throw createKeyNotFound(key);

  const open = openRevocation(versions, azure.now());
  if (open) {
    journal.found(
      `${formatKeyName(key)} is revoked, and no version changes until an operator restores it: ${formatRestoreCommand(key, open)}`,
    );
  } else if (!versions.some(({ enabled }) => enabled)) {
    journal.found(`every version of ${formatKeyName(key)} is disabled already`);
  }

  if (version === undefined) return;
  if (!requireVersion(key, versions, version).enabled) {
    journal.found(`version ${version} of ${formatKeyName(key)} is disabled already`);
  }
}

/** Adds the step of a retirement to the journal. */
function enterInJournal(key: ManagedKey, retired: Retirement, { journal }: Operation): void {
  const { outcome, version } = retired;
  if (outcome === 'kept' || outcome === 'unproven') return;
  const text = `version ${version.version} of ${formatKeyName(key)} disabled`;
  const change = { text, action: 'version.disable', resource: version.id };
  if (outcome === 'planned') journal.planned(change);
  else journal.done(change);
  if (outcome !== 'undone') return;
  const enabled = `version ${version.version} enabled again: ${retired.reasons.join(' ')}`;
  journal.done({ text: enabled, action: 'version.enable', resource: version.id });
}

/** @returns `written`, or why the audit trail could not be written */
function record(
  { details, ...entry }: AuditEntry,
  { why, ticket, app }: Occasion,
  operation: Operation,
): Promise<string> {
  // An undone retirement has its own `why`, which takes precedence.
  return recordDone({ ...entry, details: { by: 'cmk', why, ticket, ...details } }, app.audit, operation);
}

/**
 * Enables a retired version again, and tags it so that the app does not retire it. Idempotent.
 *
 * @throws {@link CmkError} `UnknownVersion`; `ArgumentInvalid` if no retirement disabled it; `RevocationOpen`
 */
export async function unretireVersion(
  key: ManagedKey,
  { version: name, ...occasion }: Occasion & { readonly version: string },
  operation: Operation,
) {
  const { azure, journal } = operation;
  const [{ objectId }, versions] = await Promise.all([azure.operator(), azure.keys.listVersions(key)]);
  const version = requireVersion(key, versions, name);
  const result = { key: key.id, version: version.version, enabled: true };

  if (version.enabled) {
    journal.found(`version ${version.version} is enabled already`);
    return { ...result, ...NOT_AUDITED };
  }

  refuseRevoked(key, versions, 'its versions stay disabled until a restore', azure.now());

  if (!findRetiredRecord(version)) {
    const nextStep = `Check its state: cmk key show ${key.name} ${formatVaultOption(key.vault)}`;
    throw new CmkError('ArgumentInvalid', `Version ${version.version} was not disabled by a retirement.`, nextStep);
  }

  const change = { text: `version ${version.version} enabled`, action: 'version.enable', resource: version.id };

  if (journal.dryRun) {
    journal.planned(change);
    return { ...result, enabled: false, ...NOT_AUDITED };
  }

  const tags = createKeptTags(version, objectId, azure.now());
  try {
    await azure.keys.updateVersion(key, version.version, { enabled: true, tags });
  } catch (error) {
    // The write may take effect although its answer is lost. Then the audit trail records it too.
    const isEnabled = async () => (await azure.keys.getVersion(key, version.version))?.enabled;
    if (!canHaveTakenEffect(describeFailure(error)) || !(await isEnabled())) throw error;
  }

  journal.done(change);

  const details = { version: version.id, enabled: true };
  const entry = { action: 'key.unretire', reason: 'VersionTakenBack', resource: key.id, details } as const;

  return { ...result, audit: await record(entry, occasion, operation) };
}
