import { type AuditFiles, auditContainer, auditFiles } from '../audit/audit-client.ts';
import { findRecord } from '../audit/find-record.ts';
import { readLogEvidence } from '../audit/log-evidence.ts';
import { type RecordedEntry, recordedEntry } from '../audit/record.ts';
import { searchTrail } from '../audit/search-trail.ts';
import type { TrailFilter } from '../audit/trail-filter.ts';
import { type TrailReport, type VerifyTrailOptions, verifyTrail } from '../audit/verify-trail.ts';
import { CmkError } from '../errors.ts';
import { readStorageSettings } from '../settings/settings.ts';
import { inAppStorage } from './app-storage-failures.ts';
import type { Cli } from './cli.ts';
import { readGivenText } from './read-given.ts';

/**
 * Reads the audit trail in the app's storage that the environment names.
 *
 * @param isNothing whether this result is also that of a trail that does not exist
 * @throws {@link CmkError} if the trail does not exist
 */
async function readTrail<T>(
  cli: Cli,
  read: (files: AuditFiles) => Promise<T>,
  isNothing: (result: T) => boolean,
  container?: string,
): Promise<T> {
  const client = auditContainer(readStorageSettings(cli.environment), () => cli.credential(), container);
  const files = auditFiles(client);
  const { containerName, url } = client;
  const place = { what: `container ${containerName}`, url: new URL('.', url).href, role: 'Storage Blob Data Reader' };
  return inAppStorage(place, async () => {
    const result = await read(files);
    if (!isNothing(result) || (await files.list()).length > 0) return result;
    throw new CmkError('NotFound', `${url} has no audit trail.`, "Check that it is the app's storage account.");
  });
}

/**
 * Verifies the trail.
 *
 * @param container a copy of the trail; undefined: the app's container
 * @param log export of the log whose receipts must match
 */
export async function verifyRecords(
  cli: Cli,
  container: string | undefined,
  log: string | undefined,
  options: VerifyTrailOptions,
): Promise<TrailReport> {
  const { receipts: allReceipts = [], ends = [], loggedTo } = log === undefined ? {} : await readEvidence(log);
  return readTrail(
    cli,
    (files) => verifyTrail(files, { ...options, ends, allReceipts, loggedTo }),
    ({ files, findings }) => files + findings.length === 0,
    container,
  );
}

/** Reads an export of the log. @throws {@link CmkError} if the file is missing, or has no record of the trail */
async function readEvidence(file: string): Promise<Partial<ReturnType<typeof readLogEvidence>>> {
  const evidence = readLogEvidence(await readGivenText(file));
  if (evidence.receipts.length + evidence.ends.length > 0) return evidence;
  throw new CmkError(
    'ArgumentInvalid',
    `${file} has no record of the audit trail.`,
    'Export the records with the reasons AuditWritten and AuditTrailVerified, one a line; docs/how-to/audit.md has the query.',
  );
}

/** Returns the newest matching records, oldest first. */
export async function listRecords(cli: Cli, filter: TrailFilter, most: number): Promise<RecordedEntry[]> {
  const search = async (files: AuditFiles) => (await searchTrail(files, filter, { most })).records;
  const records = await readTrail(cli, search, ({ length }) => length === 0);
  return records.map(({ file: _, ...record }) => record).reverse();
}

/** Finds a record by its number or id. @throws {@link CmkError} if the record does not exist */
export async function showRecord(cli: Cli, which: string): Promise<RecordedEntry> {
  const found = await readTrail(
    cli,
    (files) => findRecord(files, which),
    (one) => one === undefined,
  );
  const record = found && recordedEntry(found.record);
  if (record) return record;
  throw new CmkError(
    'NotFound',
    `The audit trail has no record ${which}.`,
    '`cmk audit list --wide` shows the numbers.',
  );
}
