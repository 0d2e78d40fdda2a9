import { BlobServiceClient } from '@azure/storage-blob';
import { auditFiles } from '../../../src/audit/audit-client.ts';
import { AUDIT_CONTAINER } from '../../../src/audit/audit-files.ts';
import { type AuditEntry, parseRecord } from '../../../src/audit/record.ts';
import { UniqueRecords } from '../../../src/audit/unique-records.ts';
import { verifyTrail } from '../../../src/audit/verify-trail.ts';

/** Every entry of the trail once, as a reader shows it: records are written at least once, with an id of what happened. */
export async function readEntries(connectionString: string): Promise<AuditEntry[]> {
  const files = filesOf(connectionString);
  const records = new Map<string, { readonly entry: AuditEntry }>();
  for (const { name } of await files.list()) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of files.stream(name)) chunks.push(chunk);
    for (const line of Buffer.concat(chunks).toString('utf8').split('\n')) {
      const record = parseRecord(Buffer.from(line));
      if (record?.entry) records.set(record.id, { entry: record.entry as unknown as AuditEntry });
    }
  }
  const unique = new UniqueRecords<{ readonly entry: AuditEntry }>();
  for (const record of [...records.values()].reverse()) unique.add(record);
  return unique.all.map(({ entry }) => entry);
}

/** What the app's own check of the trail finds. */
export async function trailFindings(connectionString: string): Promise<readonly unknown[]> {
  return (await verifyTrail(filesOf(connectionString))).findings;
}

function filesOf(connectionString: string) {
  return auditFiles(BlobServiceClient.fromConnectionString(connectionString).getContainerClient(AUDIT_CONTAINER));
}
