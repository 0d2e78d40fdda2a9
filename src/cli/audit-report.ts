import { type AuditFiles, auditContainer, auditFiles } from '../audit/audit-client.ts';
import { findRecord } from '../audit/find-record.ts';
import { type LogEvidence, readLogEvidence } from '../audit/log-evidence.ts';
import { type RecordedEntry, recordedEntry } from '../audit/record.ts';
import { searchTrail } from '../audit/search-trail.ts';
import type { TrailFilter } from '../audit/trail-filter.ts';
import { type TrailReport, type VerifyTrailOptions, verifyTrail } from '../audit/verify-trail.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { CmkError } from '../errors.ts';
import { type Environment, readStorageSettings } from '../settings/settings.ts';
import { count } from '../text.ts';
import { inAppStorage } from './app-storage-failures.ts';
import { readGivenText } from './read-given.ts';
import { visible } from './visible.ts';

/** Reads an export of the log. @throws {@link CmkError} if the file is missing, or has no record of the trail */
export async function readEvidence(file: string): Promise<LogEvidence> {
  const evidence = readLogEvidence(await readGivenText(file));
  if (evidence.receipts.length + evidence.ends.length > 0) return evidence;
  throw new CmkError(
    'ArgumentInvalid',
    `${file} has no record of the audit trail.`,
    'Export the records with the reasons AuditWritten and AuditTrailVerified, one a line; docs/how-to/audit.md has the query.',
  );
}

/** Reads the audit trail in the app's storage that the environment names. */
export class Trail {
  readonly #container: ReturnType<typeof auditContainer>;
  readonly #files: AuditFiles;

  /** @param container its name; undefined: the app's container */
  constructor(environment: Environment, credential: () => TokenCredential, container: string | undefined) {
    this.#container = auditContainer(readStorageSettings(environment), credential, container);
    this.#files = auditFiles(this.#container);
  }

  /** @throws {@link CmkError} if the trail does not exist */
  async verify(evidence: LogEvidence | undefined, options: VerifyTrailOptions): Promise<TrailReport> {
    const { receipts: allReceipts = [], ends = [], loggedTo } = evidence ?? {};
    const report = await this.#read(() => verifyTrail(this.#files, { ...options, ends, allReceipts, loggedTo }));
    if (report.files > 0 || report.findings.length > 0) return report;
    throw this.#missing();
  }

  /** Returns the newest matching records, oldest first. @throws {@link CmkError} if the trail does not exist */
  async list(filter: TrailFilter, most: number): Promise<RecordedEntry[]> {
    await this.#requireFiles();
    const { records } = await this.#read(() => searchTrail(this.#files, filter, { most }));
    return records.map(({ file: _, ...record }) => record).reverse();
  }

  /** Finds a record by its number or id. @throws {@link CmkError} if the record or the trail does not exist */
  async find(which: string): Promise<RecordedEntry> {
    await this.#requireFiles();
    const found = await this.#read(() => findRecord(this.#files, which));
    const record = found && recordedEntry(found.record);
    if (record) return record;
    throw new CmkError(
      'NotFound',
      `The audit trail has no record ${which}.`,
      '`cmk audit list --wide` shows the numbers.',
    );
  }

  async #requireFiles(): Promise<void> {
    if ((await this.#read(() => this.#files.list())).length === 0) throw this.#missing();
  }

  #read<T>(work: () => Promise<T>): Promise<T> {
    const { containerName, url } = this.#container;
    const place = { what: `container ${containerName}`, url: new URL('.', url).href, role: 'Storage Blob Data Reader' };
    return inAppStorage(place, work);
  }

  #missing(): CmkError {
    return new CmkError(
      'NotFound',
      `${this.#container.url} has no audit trail.`,
      "Check that it is the app's storage account.",
    );
  }
}

export function printTrail(
  { findings, records, files, last, unlogged = 0 }: TrailReport,
  log: (line: string) => void,
): void {
  for (const { file, line, reason, message } of findings) {
    // File names may come from an attacker: escape their line breaks.
    log(visible(`${file}${line === undefined ? '' : `:${line}`}  ${reason}  ${message}`));
  }
  const found = findings.length === 0 ? 'nothing found' : `${findings.length} found`;
  log(`${findings.length === 0 ? 'ok: ' : ''}${count(records, 'record')} in ${count(files, 'file')}, ${found}.`);
  if (unlogged > 0) {
    log(`${count(unlogged, 'record')} newer than the last record in the log: export the log again to check them.`);
  }
  if (last) {
    log(`Last record: ${last.seq}:${last.hash}`);
    log('Keep it elsewhere: as --receipt it lets the next check detect missing records at the end.');
  }
}
