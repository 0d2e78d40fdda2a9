import { BlobServiceClient } from '@azure/storage-blob';
import { AUDIT_CONTAINER } from '../../src/audit/audit-client.ts';
import type { AuditEntry } from '../../src/audit/record.ts';

/** Every line of the audit trail, file by file. */
export async function auditLines(connectionString: string): Promise<string[]> {
  const container = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(AUDIT_CONTAINER);
  const lines: string[] = [];
  for await (const { name } of container.listBlobsFlat()) {
    const text = (await container.getBlobClient(name).downloadToBuffer()).toString();
    lines.push(...text.split('\n').filter(Boolean));
  }
  return lines;
}

/** The entries of the records. @typeParam E the fields that a test reads */
export async function auditEntries<E extends Pick<AuditEntry, 'action'> = AuditEntry>(
  connectionString: string,
): Promise<E[]> {
  return (await auditLines(connectionString)).flatMap((line) => JSON.parse(line).entry ?? []);
}
