import { AUDIT_WAIT_MS } from '../../audit/audit-trail.ts';
import { describeFailure, mayHaveTakenEffect } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { vaultOption } from '../../keys/vault-options.ts';
import { REASONS } from '../../reasons.ts';
import { finishRetirements } from '../../retirement/finish-retirements.ts';
import {
  type Retirement,
  type RetireOptions,
  type RetireServices,
  retirementEntry,
  retireUnused,
} from '../../retirement/retire-versions.ts';
import {
  keptTags,
  LEAST_RETIRE_HOURS,
  NOT_KNOWN,
  retireByLogCommand,
  retireCommand,
  retiredRecord,
} from '../../retirement/retirement.ts';
import { auditWarning, NOT_AUDITED } from '../../revocation/record-revocation.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import { openRevocation } from '../../revocation/revocation.ts';
import type { Environment } from '../../settings/settings.ts';
import { type AppRecord, callBy, inTrail } from '../app-storage.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { lookSettings } from './blast-radius-of.ts';
import { keyNotFound, nameOf, refuseRevoked, versionNamed } from './usable-key.ts';

/** Deadline of one read of all users of the key, in milliseconds. */
const READ_MS = 10 * 60_000;

export interface KeyRetireOptions {
  /** One version; undefined: every one that may go. */
  readonly version?: string | undefined;
  /** How old the successor has to be; 24 at least. */
  readonly hours: number;
  /**
   * `log`: disables the versions that Key Vault's log proves unused; `person`: a person answers for what cannot be seen;
   * `look`: nothing is disabled.
   */
  readonly by: 'log' | 'person' | 'look';
  /** What the operator says of it, for the audit trail. */
  readonly why?: string | undefined;
  readonly ticket?: string | undefined;
  /** Id of the workspace that has the vault's log; undefined: there is no log to go by. */
  readonly workspace: string | undefined;
  readonly environment: Environment;
  readonly app: Pick<AppRecord, 'audit'>;
}

interface Stays {
  readonly version: string;
  readonly reasons: readonly string[];
}

interface KeyRetirement {
  readonly key: string;
  readonly retired: readonly string[];
  readonly kept: readonly Stays[];
  /** `written`, or why the audit trail could not be written. */
  readonly audit: string;
}

/**
 * Disables versions that nothing in sight uses any more, after fresh reads of everything that uses the key. That is no
 * proof: Key Vault's log has to be, or a person, to whom it names what is not known. A retirement that was broken off is finished.
 *
 * @throws {@link CmkError} `RetirementUnproven` when versions could go, the log does not prove it, and no person answers for it
 * @throws {@link CmkError} `VersionInUse` when the one version asked for has to stay; `RetirementNotUndone` when one was
 *   disabled that may be in use, and could not be enabled again
 */
export async function retireVersions(
  key: ManagedKey,
  { version, hours, by, why, ticket, workspace, environment, app }: KeyRetireOptions,
  operation: Operation,
): Promise<KeyRetirement> {
  const { azure, journal } = operation;
  if (!(hours >= LEAST_RETIRE_HOURS)) {
    throw new CmkError(
      'ArgumentInvalid',
      `${hours} hours are too few.`,
      `Storage may take a day to follow: ${LEAST_RETIRE_HOURS} at least.`,
    );
  }
  const [operator] = await Promise.all([azure.operator(), checkVersion(key, version, operation)]);
  journal.waiting('everything that uses the key is read');
  const usageLog = azure.usageLog(workspace);
  const services = { ...azure, usageLog, settings: lookSettings(azure, environment) };
  const proof = by === 'person' ? 'person' : 'log';
  const options = { version, hours, readMs: READ_MS, disable: by !== 'look' && !journal.dryRun, proof } as const;
  const retired: string[] = [];
  const kept: Stays[] = [];
  const unproven: Stays[] = [];
  let { audit } = NOT_AUDITED;
  for await (const one of both(key, options, services)) {
    enter(key, one, { by, workspace }, operation);
    const { version: name } = one.version;
    if (one.outcome === 'retired') retired.push(name);
    if (one.outcome === 'unproven') unproven.push({ version: name, reasons: one.reasons });
    if (one.outcome === 'kept' || one.outcome === 'undone') kept.push({ version: name, reasons: one.reasons });
    const entry = retirementEntry(key, one);
    if (entry) {
      // One that was undone has its own why.
      const details = { by: 'cmk', proof, why, ticket, ...entry.details };
      audit = await inTrail(app.audit({ ...entry, ...callBy(operator), details }, AUDIT_WAIT_MS));
      for (const warning of auditWarning({ audit })) journal.note(warning);
    }
    if (one.outcome === 'notUndone') {
      const message = `${REASONS.RetirementNotUndone} ${one.version.id}: ${one.reasons.join(' ')}`;
      throw new CmkError('RetirementNotUndone', message, `${one.nextStep}.`);
    }
  }
  if (version !== undefined && kept[0]) {
    throw new CmkError(
      'VersionInUse',
      `Version ${version} of ${nameOf(key)} stays. ${kept[0].reasons.join(' ')}`,
      'Move what uses it (cmk account pin), wait, and run this again.',
    );
  }
  for (const { version: stays, reasons } of kept) journal.found(`version ${stays} stays: ${reasons.join(' ')}`);
  refuseUnproven(key, unproven);
  return { key: key.id, retired, kept, audit };
}

function refuseUnproven(key: ManagedKey, unproven: readonly Stays[]): void {
  if (unproven.length === 0) return;
  const which = unproven.map(({ version }) => version);
  const why = [...new Set(unproven.flatMap(({ reasons }) => reasons))].join(' ');
  throw new CmkError(
    'RetirementUnproven',
    `Nothing in sight uses ${which.join(' or ')} of ${nameOf(key)} any more, and it stays. ${why} ${NOT_KNOWN}`,
    `Where nothing of that uses it: ${which.map((one) => retireCommand(key, one)).join(' ; ')}`,
  );
}

/** What was broken off first: whatever is asked for, no version stays half retired. */
async function* both(
  key: ManagedKey,
  options: RetireOptions,
  services: RetireServices,
): AsyncGenerator<Retirement, void, undefined> {
  if (options.disable) yield* finishRetirements(key, options.readMs, services);
  yield* retireUnused(key, options, services);
}

async function checkVersion(
  key: ManagedKey,
  version: string | undefined,
  { azure, journal }: Operation,
): Promise<void> {
  const versions = await azure.keys.listVersions(key);
  if (versions.length === 0) throw keyNotFound(key);
  const open = openRevocation(versions, azure.now());
  if (open) {
    journal.found(
      `${nameOf(key)} is revoked, and stays as it is until an operator restores it: ${restoreCommand(key, open)}`,
    );
  } else if (!versions.some(({ enabled }) => enabled))
    journal.found(`every version of ${nameOf(key)} is disabled already`);
  if (version === undefined) return;
  if (!versionNamed(key, versions, version).enabled)
    journal.found(`version ${version} of ${nameOf(key)} is disabled already`);
}

/** Enters into the journal what was done, which the use-case has done by now. */
function enter(
  key: ManagedKey,
  retired: Retirement,
  { by, workspace }: Pick<KeyRetireOptions, 'by' | 'workspace'>,
  { journal }: Operation,
): void {
  const { outcome, version } = retired;
  const disabled = `version ${version.version} of ${nameOf(key)} disabled`;
  if (outcome === 'kept' || outcome === 'unproven') return;
  if (outcome === 'planned' && by === 'look') {
    const command = retireByLogCommand(key, version.version, workspace);
    journal.found(`version ${version.version} is unused, by the log too; to disable it: ${command}`);
  } else if (outcome === 'planned') {
    journal.planned({ text: disabled, action: 'version.disable', resource: version.id });
  } else journal.done({ text: disabled, action: 'version.disable', resource: version.id });
  if (outcome === 'undone') {
    const text = `version ${version.version} enabled again: ${retired.reasons.join(' ')}`;
    journal.done({ text, action: 'version.enable', resource: version.id });
  }
}

interface KeyUnretireOptions {
  readonly version: string;
  /** What the operator says of it, for the audit trail. */
  readonly why?: string | undefined;
  readonly ticket?: string | undefined;
  readonly app: Pick<AppRecord, 'audit'>;
}

interface KeyUnretirement {
  readonly key: string;
  readonly version: string;
  readonly enabled: boolean;
  /** `written`, or why the audit trail could not be written. */
  readonly audit: string;
}

/**
 * Enables a version again that was retired, and marks it, so that the app leaves it alone. Doing it twice changes nothing.
 *
 * @throws {@link CmkError} `UnknownVersion`, `ArgumentInvalid` when something else disabled it, `RevocationOpen`
 */
export async function unretireVersion(
  key: ManagedKey,
  { version: name, why, ticket, app }: KeyUnretireOptions,
  { azure, journal }: Operation,
): Promise<KeyUnretirement> {
  const [operator, versions] = await Promise.all([azure.operator(), azure.keys.listVersions(key)]);
  const version = versionNamed(key, versions, name);
  const result = { key: key.id, version: version.version };
  if (version.enabled) {
    journal.found(`version ${version.version} is enabled already`);
    return { ...result, enabled: true, ...NOT_AUDITED };
  }
  refuseRevoked(key, versions, 'its versions stay as they are', azure.now());
  if (!retiredRecord(version)) {
    const nextStep = `See: cmk key show ${key.name} ${vaultOption(key.vault)}`;
    throw new CmkError('ArgumentInvalid', `Version ${version.version} was not disabled by a retirement.`, nextStep);
  }
  const change = {
    text: `version ${version.version} enabled`,
    action: 'version.enable',
    resource: version.id,
  } as const;
  if (journal.dryRun) {
    journal.planned(change);
    return { ...result, enabled: false, ...NOT_AUDITED };
  }
  await enable(key, version.version, keptTags(version, operator.objectId, azure.now()), azure);
  journal.done(change);
  const entry = { action: 'key.unretire', reason: 'VersionTakenBack', resource: key.id } as const;
  const details = { version: version.id, enabled: true, by: 'cmk', why, ticket };
  const audit = await inTrail(app.audit({ ...entry, ...callBy(operator), details }, AUDIT_WAIT_MS));
  for (const warning of auditWarning({ audit })) journal.note(warning);
  return { ...result, enabled: true, audit };
}

/**
 * Enables the version, or learns that it is enabled although the answer was lost.
 *
 * @throws the SDK's error when it is not
 */
async function enable(key: ManagedKey, version: string, tags: Record<string, string>, { keys }: Azure): Promise<void> {
  try {
    await keys.updateVersion(key, version, { enabled: true, tags });
  } catch (error) {
    if (!mayHaveTakenEffect(describeFailure(error))) throw error;
    if (!(await keys.getVersion(key, version))?.enabled) throw error;
  }
}
