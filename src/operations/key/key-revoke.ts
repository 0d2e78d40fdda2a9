import { describe } from '../../azure/failure.ts';
import type { BlastRadius } from '../../dependents/blast-radius.ts';
import { CmkError } from '../../errors.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { RevocationStamp } from '../../revocation/revocation.ts';
import { type KeyRevocation, revokeKey } from '../../revocation/revoke-key.ts';
import { reportVersions, type VersionReport } from '../../revocation/version-report.ts';
import type { Procedure } from '../operator-azure.ts';
import type { AppRecord } from './app-record.ts';
import { type AppEnvironment, blastRadiusOf } from './blast-radius-of.ts';

/** A dry run may take its time; a revocation waits no longer than this for what depends on the key. Milliseconds. */
const DRY_RUN_MS = 60_000;
const DEPENDENTS_MS = 5_000;
/** Accounts and other resources that are shown by name; a document has them all. */
const SHOWN = 20;

export interface RevokeOptions {
  readonly reason: string;
  readonly ticket?: string | undefined;
  readonly environment: AppEnvironment;
  readonly app: AppRecord;
}

export interface RevokeResult {
  readonly key: string;
  /** Whether a fresh read proves that no version is enabled. */
  readonly complete: boolean;
  readonly revocation: { readonly id: string; readonly revokedOn: string; readonly revokedBy: string } | undefined;
  readonly versions: readonly VersionReport[];
  /** From the start to the last version disabled, in milliseconds. */
  readonly elapsedMs: number;
  /** Undefined when it could not be read in time. */
  readonly dependents: BlastRadius | undefined;
  /** `written`, or why the audit trail could not be written. */
  readonly audit: string;
}

/** What a revocation would shut, without shutting it. */
export async function previewRevocation(
  key: ManagedKey,
  environment: AppEnvironment,
  { azure, journal }: Procedure,
): Promise<RevokeResult> {
  const [versions, dependents] = await Promise.all([
    azure.urgentKeys.listVersions(key),
    radius(key, azure, environment, DRY_RUN_MS),
  ]);
  if (versions.length === 0) throw noSuchKey(key);
  const report = reportVersions(versions, [], versions, azure.now());
  for (const version of versions.filter(({ enabled }) => enabled)) {
    await journal.change(`version ${version.version} disabled`, async () => {});
  }
  describeRadius(dependents, { azure, journal });
  const nothing = { revocation: undefined, elapsedMs: 0, audit: 'nothing to write: nothing was changed' };
  return { key: key.id, complete: false, versions: report, dependents, ...nothing };
}

/**
 * Disables every version of a key, as the app's API does and with the same record, so that the app takes it for its own.
 * It needs Key Vault and a token; Azure Resource Manager and the app's storage are asked beside it and waited for briefly.
 */
export async function revoke(
  key: ManagedKey,
  { reason, ticket, environment, app }: RevokeOptions,
  procedure: Procedure,
): Promise<RevokeResult> {
  const { azure, journal } = procedure;
  const operator = await azure.operator();
  const reading = radius(key, azure, environment, DEPENDENTS_MS);
  const { urgentKeys: keys, now, sleep } = azure;
  const result = await revokeKey(key, operator.objectId, { keys, now, sleep });
  if (result.versions.length === 0) throw noSuchKey(key);
  const closed = result.versions.filter(({ before, after }) => before !== 'Disabled' && after === 'Disabled');
  for (const { version } of closed) await journal.change(`version ${version} disabled`, async () => {});
  const before = result.versions.length - closed.length;
  if (closed.length === 0 && result.complete) journal.found('every version is disabled already');
  else if (before > 0) journal.found(`${count(before, 'version')} disabled before`);
  noteTroubles(key, result, procedure);

  const revocation = result.revocation && forReport(result.revocation);
  const details = { why: reason, ticket, revocation, complete: result.complete, versions: result.versions, by: 'cmk' };
  const changed = closed.length > 0 || !result.complete;
  const why = result.complete ? 'Revoked' : 'RevocationIncomplete';
  const [dependents, audit, watched] = await Promise.all([
    reading,
    changed
      ? app.audit({ action: 'key.revoke', reason: why, key, operator, details })
      : 'nothing to write: nothing was changed',
    changed ? app.enqueue(key, 'revoke') : 'queued',
  ]);
  if (changed && audit !== 'written') journal.note(`Not in the audit trail: ${audit}`);
  if (watched !== 'queued') journal.note(`The app does not watch the effect on the file shares: ${watched}`);
  describeRadius(dependents, procedure);
  if (result.complete) {
    const alone = environment.CMK_DUAL_CONTROL?.trim().toLowerCase() === 'off';
    const who = alone ? '' : ', run by somebody else than you';
    journal.note(`To give access back: cmk key restore ${key.name} --vault ${key.vault.name}${who}`);
  }
  const { complete, versions, elapsedMs } = result;
  return { key: key.id, complete, revocation, versions, elapsedMs, dependents, audit };
}

function noteTroubles(key: ManagedKey, result: KeyRevocation, { journal }: Procedure): void {
  if (result.unproven) journal.note(`The versions could not be read again as proof: ${describe(result.unproven)}`);
  for (const { version, after, error } of result.versions) {
    if (after !== 'Disabled') journal.note(`Version ${version} of ${key.id} is NOT shut${error ? `: ${error}` : ''}.`);
  }
  if (!result.complete) journal.note('Run the same command again: it finishes what is missing.');
  if (result.unrecorded.length > 0) {
    journal.note(`A restore will leave these off, for want of a tag to record them: ${result.unrecorded.join(', ')}`);
  }
}

async function radius(
  key: ManagedKey,
  azure: Procedure['azure'],
  environment: AppEnvironment,
  ms: number,
): Promise<BlastRadius | undefined> {
  try {
    return await blastRadiusOf(key, azure, environment, ms);
  } catch {
    return undefined; // settings that are wrong, say: nothing that may stand in the way
  }
}

function describeRadius(dependents: BlastRadius | undefined, { journal }: Procedure): void {
  if (!dependents) {
    journal.note('What depends on the key could not be read.');
    return;
  }
  const { accounts, otherResources, selfLockout, unread } = dependents;
  const shares = accounts.reduce((sum, account) => sum + account.shares.length, 0);
  journal.found(
    `${count(accounts.length, 'storage account')} with ${count(shares, 'file share')} and ${count(otherResources.length, 'other resource')} depend on the key`,
  );
  const names = [
    ...accounts.map(({ name, mode, shares: own, scopes }) => {
      const shown = [
        ...(mode === 'scopesOnly' ? [] : [own.length === 0 ? 'no file share' : listed('file share', own)]),
        ...(scopes.length === 0 ? [] : [listed('encryption scope', scopes)]),
      ];
      return `${name}: ${shown.join('; ')}`;
    }),
    ...otherResources.map(({ name, type }) => `${name}: ${type}`),
  ];
  for (const text of names.slice(0, SHOWN)) journal.found(text);
  if (names.length > SHOWN) journal.found(`and ${names.length - SHOWN} more, which --json shows`);
  if (selfLockout === true) {
    journal.note("The app's own storage is encrypted with this key: while it is revoked the app stands still.");
  }
  for (const { what, detail } of unread) journal.note(`There may be more: ${what} could not be read. ${detail}`);
}

function listed(noun: string, all: readonly { readonly name: string }[]): string {
  const names = all.slice(0, 5).map(({ name }) => name);
  const more = all.length > names.length ? ` and ${all.length - names.length} more` : '';
  return `${noun}${all.length === 1 ? '' : 's'} ${names.join(', ')}${more}`;
}

export function forReport({ id, revokedOn, revokedBy }: RevocationStamp): NonNullable<RevokeResult['revocation']> {
  return { id, revokedOn: revokedOn.toISOString(), revokedBy };
}

export function noSuchKey(key: ManagedKey): CmkError {
  return new CmkError(
    'KeyNotFound',
    `There is no key ${key.vault.name}/${key.name}; nothing was changed.`,
    'Check the names of vault and key.',
  );
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
