import { AUDIT_WAIT_MS } from '../../audit/audit-trail.ts';
import { describeFailure, mayHaveTakenEffect } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import { findVersion } from '../../keys/key-versions.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { vaultOption } from '../../keys/vault-options.ts';
import { keptTags, retiredRecord } from '../../retirement/retirement.ts';
import { NOT_AUDITED } from '../../revocation/record-revocation.ts';
import { restoreCommand } from '../../revocation/restore-command.ts';
import { openRevocation } from '../../revocation/revocation.ts';
import type { Operation } from '../operator-azure.ts';
import { type AppRecord, callBy } from './app-record.ts';

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
  const version = findVersion(versions, name);
  const status = `See: cmk key show ${key.name} ${vaultOption(key.vault)}`;
  if (!version) throw new CmkError('UnknownVersion', `The key ${key.id} has no version ${name}.`, status);
  let { audit } = NOT_AUDITED;
  if (version.enabled) {
    journal.found(`version ${version.version} is enabled already`);
    return { key: key.id, version: version.version, enabled: true, audit };
  }
  const open = openRevocation(versions, azure.now());
  if (open) {
    const nextStep = `Restore it first: ${restoreCommand(key, open)}`;
    throw new CmkError('RevocationOpen', `${key.id} is revoked; its versions stay as they are.`, nextStep);
  }
  if (!retiredRecord(version)) {
    throw new CmkError('ArgumentInvalid', `Version ${version.version} was not disabled by a retirement.`, status);
  }
  const change = {
    text: `version ${version.version} enabled`,
    action: 'version.enable',
    resource: version.id,
  } as const;
  if (journal.dryRun) {
    journal.planned(change);
    return { key: key.id, version: version.version, enabled: false, audit };
  }
  const tags = keptTags(version, operator.objectId, azure.now());
  await enable(key, version.version, tags, azure);
  journal.done(change);
  const entry = { action: 'key.unretire', reason: 'VersionTakenBack', resource: key.id } as const;
  const details = { version: version.id, enabled: true, by: 'cmk', why, ticket };
  const outcome = await app.audit({ ...entry, ...callBy(operator), details }, AUDIT_WAIT_MS);
  audit = 'failed' in outcome ? outcome.failed : 'written';
  if (audit !== 'written') journal.note(`Not in the audit trail: ${audit}`);
  return { key: key.id, version: version.version, enabled: true, audit };
}

/**
 * Enables the version, or learns that it is enabled although the answer was lost.
 *
 * @throws the SDK's error when it is not
 */
async function enable(
  key: ManagedKey,
  version: string,
  tags: Record<string, string>,
  { keys }: Operation['azure'],
): Promise<void> {
  try {
    await keys.updateVersion(key, version, { enabled: true, tags });
  } catch (error) {
    if (!mayHaveTakenEffect(describeFailure(error))) throw error;
    if (!(await keys.getVersion(key, version))?.enabled) throw error;
  }
}
