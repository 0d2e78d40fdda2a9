import { type AuditContainer, auditContainer, auditFiles } from '../audit/audit-client.ts';
import type { AuditFiles } from '../audit/audit-files.ts';
import { findRecord } from '../audit/find-record.ts';
import { type LogEvidence, readLogEvidence } from '../audit/log-evidence.ts';
import { searchTrail } from '../audit/search-trail.ts';
import { type RecordedEntry, recordedEntry, type TrailFilter } from '../audit/trail-filter.ts';
import { type TrailReport, type VerifyTrailOptions, verifyTrail } from '../audit/verify-trail.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { CmkError } from '../errors.ts';
import { type Environment, readStorageSettings } from '../settings/settings.ts';
import { count } from '../text.ts';
import { type AppStoragePlace, inAppStorage } from './app-storage-failures.ts';
import { readGivenText } from './read-given.ts';
import { visible } from './visible.ts';

/** Where the trail is, and what is known of it from elsewhere. */
interface TrailPlaces {
  readonly container?: string | undefined;
  /** What an export of the log has of it. */
  readonly evidence?: LogEvidence | undefined;
}

/** Reads an export of the log. @throws {@link CmkError} when there is no such file, or nothing of the trail in it */
export async function readEvidence(file: string): Promise<LogEvidence> {
  const evidence = readLogEvidence(await readGivenText(file));
  if (evidence.receipts.length + evidence.ends.length > 0) return evidence;
  throw new CmkError(
    'ArgumentInvalid',
    `${file} has no record of the audit trail.`,
    'Export the records with the reasons AuditWritten and AuditTrailVerified, one a line; docs/how-to/audit.md has the query.',
  );
}

/**
 * Checks the audit trail in the app's storage, as the environment names it.
 *
 * @throws {@link CmkError} when there is none
 */
export async function readTrail(
  environment: Environment,
  credential: () => TokenCredential,
  { container: name, evidence, ...options }: VerifyTrailOptions & TrailPlaces,
): Promise<TrailReport> {
  const storage = readStorageSettings(environment);
  const container = auditContainer(storage, credential, name);
  const { receipts: allReceipts = [], ends = [], loggedTo } = evidence ?? {};
  const report = await inAppStorage(placeOf(container), () =>
    verifyTrail(auditFiles(container), { ...options, ends, allReceipts, loggedTo }),
  );
  if (report.files > 0 || report.findings.length > 0) return report;
  throw noTrail(container);
}

/**
 * The newest records of the trail that a filter means, oldest first.
 *
 * @throws {@link CmkError} when there is no trail
 */
export async function readRecords(
  environment: Environment,
  credential: () => TokenCredential,
  asked: { readonly filter: TrailFilter; readonly most: number; readonly container: string | undefined },
): Promise<RecordedEntry[]> {
  const { files, place } = await openTrail(environment, credential, asked.container);
  const { records } = await inAppStorage(place, () => searchTrail(files, asked.filter, { most: asked.most }));
  return records.map(({ file: _, ...record }) => record).reverse();
}

/**
 * One record, by its number or id.
 *
 * @throws {@link CmkError} when there is no such record, or no trail
 */
export async function readRecord(
  environment: Environment,
  credential: () => TokenCredential,
  which: string,
  container: string | undefined,
): Promise<RecordedEntry> {
  const { files, place } = await openTrail(environment, credential, container);
  const found = await inAppStorage(place, () => findRecord(files, which));
  const record = found && recordedEntry(found.record);
  if (record) return record;
  throw new CmkError('NotFound', `There is no record ${which}.`, '`cmk audit list --wide` shows their numbers.');
}

async function openTrail(
  environment: Environment,
  credential: () => TokenCredential,
  name: string | undefined,
): Promise<{ readonly files: AuditFiles; readonly place: AppStoragePlace }> {
  const container = auditContainer(readStorageSettings(environment), credential, name);
  const place = placeOf(container);
  const files = auditFiles(container);
  if ((await inAppStorage(place, () => files.list())).length === 0) throw noTrail(container);
  return { files, place };
}

function placeOf(container: AuditContainer): AppStoragePlace {
  const what = `container ${container.containerName}`;
  return { what, url: new URL('.', container.url).href, role: 'Storage Blob Data Reader' };
}

function noTrail(container: AuditContainer): CmkError {
  return new CmkError('NotFound', `There is no trail in ${container.url}.`, "Is it the app's storage account?");
}

export function printTrail(
  { findings, records, files, last, unlogged = 0 }: TrailReport,
  log: (line: string) => void,
): void {
  for (const { file, line, reason, message } of findings) {
    // File names may come from an attacker: none may begin a line of its own.
    log(visible(`${file}${line === undefined ? '' : `:${line}`}  ${reason}  ${message}`));
  }
  const found = findings.length === 0 ? 'nothing found' : `${findings.length} found`;
  log(`${findings.length === 0 ? 'ok: ' : ''}${count(records, 'record')} in ${count(files, 'file')}, ${found}.`);
  if (unlogged > 0) {
    log(`${count(unlogged, 'record')} behind the last that the log has: export it once more to have them checked.`);
  }
  if (last) {
    log(`Last record: ${last.seq}:${last.hash}`);
    log('Keep it elsewhere: given as --receipt, it lets the next check notice a cut-off end.');
  }
}
