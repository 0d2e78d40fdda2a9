import { AUDIT_WAIT_MS } from '../../audit/audit-trail.ts';
import { describeFailure, mayHaveTakenEffect } from '../../azure/failure.ts';
import { CmkError } from '../../errors.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { vaultOption } from '../../keys/vault-options.ts';
import { keptTags, retiredRecord } from '../../retirement/retirement.ts';
import { auditWarning, NOT_AUDITED } from '../../revocation/record-revocation.ts';
import { type AppRecord, callBy, inTrail } from '../app-storage.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { refuseRevoked, versionNamed } from './usable-key.ts';

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
