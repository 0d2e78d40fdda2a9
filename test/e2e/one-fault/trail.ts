import { BlobServiceClient } from '@azure/storage-blob';
import { AUDIT_CONTAINER, auditFiles } from '../../../src/audit/audit-client.ts';
import type { AuditEntry } from '../../../src/audit/record.ts';
import { searchTrail } from '../../../src/audit/search-trail.ts';
import { verifyTrail } from '../../../src/audit/verify-trail.ts';

/** Every entry of the trail once, as a reader shows it: records are written at least once, with an id of what happened. */
export async function readEntries(connectionString: string): Promise<AuditEntry[]> {
  const { records } = await searchTrail(filesOf(connectionString), {}, { most: Number.POSITIVE_INFINITY });
  return records.map(({ entry }) => entry);
}

/** What the app's own check of the trail finds. */
export async function trailFindings(connectionString: string): Promise<readonly unknown[]> {
  return (await verifyTrail(filesOf(connectionString))).findings;
}

function filesOf(connectionString: string) {
  return auditFiles(BlobServiceClient.fromConnectionString(connectionString).getContainerClient(AUDIT_CONTAINER));
}
