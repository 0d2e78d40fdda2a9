import { BlobServiceClient } from '@azure/storage-blob';
import { auditFiles } from '../../../src/audit/audit-client.ts';
import { AUDIT_CONTAINER } from '../../../src/audit/container-name.ts';
import { type AuditEntry, parseRecord } from '../../../src/audit/record.ts';
import { verifyTrail } from '../../../src/audit/verify-trail.ts';

/** Every entry of the trail once, however often an append whose answer was lost has put it there. */
export async function readEntries(connectionString: string): Promise<AuditEntry[]> {
  const files = filesOf(connectionString);
  const entries = new Map<string, AuditEntry>();
  for (const { name } of await files.list()) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of files.stream(name)) chunks.push(chunk);
    for (const line of Buffer.concat(chunks).toString('utf8').split('\n')) {
      const record = parseRecord(Buffer.from(line));
      if (record?.entry) entries.set(record.id, record.entry as unknown as AuditEntry);
    }
  }
  return [...entries.values()];
}

/** What the app's own check of the trail finds. */
export async function trailFindings(connectionString: string): Promise<readonly unknown[]> {
  return (await verifyTrail(filesOf(connectionString))).findings;
}

function filesOf(connectionString: string) {
  return auditFiles(BlobServiceClient.fromConnectionString(connectionString).getContainerClient(AUDIT_CONTAINER));
}
