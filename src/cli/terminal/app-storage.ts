import { type AuditFiles, createAuditFiles, openAuditContainer } from '../../audit/audit-client.ts';
import { findRecord } from '../../audit/find-record.ts';
import { readLogEvidence } from '../../audit/log-evidence.ts';
import { type RecordedEntry, toRecordedEntry } from '../../audit/record.ts';
import { searchTrail } from '../../audit/search-trail.ts';
import type { TrailFilter } from '../../audit/trail-filter.ts';
import { type TrailReport, type VerifyTrailOptions, verifyTrail } from '../../audit/verify-trail.ts';
import { openWorkQueues } from '../../azure/app-storage.ts';
import { describeAnswerOf, describeFailure, type Failure } from '../../azure/failure.ts';
import { CmkError } from '../../errors/errors.ts';
import type { Reason } from '../../errors/reasons.ts';
import { readStorageSettings } from '../../settings/settings.ts';
import type { WorkQueueName } from '../../work/messages.ts';
import { replay } from '../../work/work-queue-client.ts';
import { findSignInTrouble } from '../procedures/sign-in.ts';
import type { Cli } from './cli.ts';
import { readGivenText, UsageError } from './options.ts';

// Reads and writes of commands in the app's own storage, which the environment names.

/** Requeues the messages of a poison queue. */
export async function requeuePoisonMessages(cli: Cli, queue: WorkQueueName) {
  const work = openWorkQueues(readStorageSettings(cli.environment), () => cli.credential());
  const place = { what: `queue ${queue}-poison`, url: work.url, role: 'Storage Queue Data Contributor' };
  return inAppStorage(place, () => replay(work, queue));
}

/**
 * Reads the audit trail.
 *
 * @param isNothing whether a trail that does not exist would have the same result
 * @throws {@link CmkError} if the trail does not exist
 */
async function readTrail<T>(
  cli: Cli,
  read: (files: AuditFiles) => Promise<T>,
  isNothing: (result: T) => boolean,
  container?: string,
): Promise<T> {
  const client = openAuditContainer(readStorageSettings(cli.environment), () => cli.credential(), container);
  const files = createAuditFiles(client);
  const { containerName, url } = client;
  const place = { what: `container ${containerName}`, url: new URL('.', url).href, role: 'Storage Blob Data Reader' };

  return inAppStorage(place, async () => {
    const result = await read(files);
    if (!isNothing(result) || (await files.list()).length > 0) return result;
    throw new CmkError('NotFound', `${url} has no audit trail.`, "Check that it is the app's storage account.");
  });
}

/**
 * Verifies the trail, against its receipts in an export of the log if one is given.
 *
 * @param container a copy of the trail; undefined: the app's container
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
  throw new UsageError(
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
  const record = found && toRecordedEntry(found.record);
  if (record) return record;
  const nextStep = '`cmk audit list --wide` shows the numbers.';
  throw new CmkError('NotFound', `The audit trail has no record ${which}.`, nextStep);
}

interface Place {
  /** `queue key-work-poison`. */
  readonly what: string;
  readonly url: string;
  /** Built-in role that the operation needs. */
  readonly role: string;
}

/** Runs an operation whose errors name the storage, because the environment may name the wrong account. */
async function inAppStorage<T>(place: Place, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const explanation = findSignInTrouble(error) ? undefined : explainFailure(place, describeFailure(error));
    throw explanation ? new CmkError(...explanation, { cause: error }) : error;
  }
}

/** Explains a failure of the app's storage; undefined: the general explanation applies. */
function explainFailure({ what, url, role }: Place, failure: Failure): [Reason, string, string] | undefined {
  const settings = 'AzureWebJobsStorage__accountName (for the work zone: CMK_WORK__queueServiceUri)';

  switch (failure.kind) {
    case 'unavailable':
      return [
        'ServiceUnavailable',
        `The app's storage does not answer at ${url}: ${describeAnswerOf(failure)}`,
        `Check ${settings} and the network, and run it again: completed steps stay done.`,
      ];
    case 'notFound':
      return [
        'NotFound',
        `The ${what} does not exist in ${url}.`,
        `Check that it is the app's storage account: ${settings} names it.`,
      ];
    case 'forbidden':
      return [
        'MissingPermission',
        `The ${what} in ${url} rejected the access: ${describeAnswerOf(failure)}`,
        `With a connection string, check its key; otherwise ask for ${role} on the app's storage account, and check that its firewall allows this network.`,
      ];
    default:
      return undefined;
  }
}
