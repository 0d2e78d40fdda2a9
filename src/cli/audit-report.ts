import type { TokenCredential } from '@azure/identity';
import type { ContainerClient } from '@azure/storage-blob';
import { auditFiles } from '../audit/audit-client.ts';
import { auditContainer } from '../audit/audit-storage-client.ts';
import { type RecordedEntry, type TrailFilter, trailRecords } from '../audit/trail-records.ts';
import { type TrailReport, type VerifyTrailOptions, verifyTrail } from '../audit/verify-trail.ts';
import { CmkError } from '../errors.ts';
import { type Environment, readStorageSettings } from '../settings/settings.ts';
import { type AppStoragePlace, inAppStorage } from './app-storage-failures.ts';
import { count } from './count.ts';

/**
 * Checks the audit trail in the app's storage, as the environment names it.
 *
 * @throws {@link CmkError} when there is none
 */
export async function readTrail(
  environment: Environment,
  credential: () => TokenCredential,
  { container: name, ...options }: VerifyTrailOptions & { readonly container?: string | undefined },
): Promise<TrailReport> {
  const container = auditContainer(readStorageSettings(environment), credential, name);
  const report = await inAppStorage(placeOf(container), () => verifyTrail(auditFiles(container), options));
  if (report.files > 0) return report;
  throw noTrail(container);
}

/**
 * The records of the trail that a filter means, oldest first.
 *
 * @throws {@link CmkError} when there is no trail
 */
export async function* readRecords(
  environment: Environment,
  credential: () => TokenCredential,
  filter: TrailFilter,
  name: string | undefined,
): AsyncGenerator<RecordedEntry> {
  const container = auditContainer(readStorageSettings(environment), credential, name);
  const place = placeOf(container);
  const files = auditFiles(container);
  if ((await inAppStorage(place, () => files.list())).length === 0) throw noTrail(container);
  const records = trailRecords(files, filter);
  for (;;) {
    const next = await inAppStorage(place, () => records.next());
    if (next.done) return;
    yield next.value;
  }
}

function placeOf(container: ContainerClient): AppStoragePlace {
  const what = `container ${container.containerName}`;
  return { what, url: new URL('.', container.url).href, role: 'Storage Blob Data Reader' };
}

function noTrail(container: ContainerClient): CmkError {
  return new CmkError('NotFound', `There is no trail in ${container.url}.`, "Is it the app's storage account?");
}

export function printTrail({ findings, records, files, last }: TrailReport, log: (line: string) => void): void {
  for (const { file, line, reason, message } of findings) {
    log(`${file}${line === undefined ? '' : `:${line}`}  ${reason}  ${message}`);
  }
  const found = findings.length === 0 ? 'nothing found' : `${findings.length} found`;
  log(`${count(records, 'record')} in ${count(files, 'file')}, ${found}.`);
  if (last) {
    log(`Last record: ${last.seq}:${last.hash}`);
    log('Keep it elsewhere: given as --receipt, it lets the next check notice a cut-off end.');
  }
}
