import { randomUUID } from 'node:crypto';
import { BlobServiceClient, type ContainerClient } from '@azure/storage-blob';
import { createAuditFiles } from '../../src/audit/audit-client.ts';
import { createAuditTrail } from '../../src/audit/audit-trail.ts';
import type { ChainWriterOptions } from '../../src/audit/chain-writer.ts';
import { type AuditEntry, parseRecord } from '../../src/audit/record.ts';
import type { Log } from '../../src/errors/log.ts';

export const NIGHT = new Date('2026-11-24T03:00:00Z');

/** A container of its own for each test, not made yet. The retries are the app's own, but quick. */
export function newContainer(connectionString: string, name: string = `audit-${randomUUID()}`): ContainerClient {
  const retryOptions = { maxTries: 2, retryDelayInMs: 5, maxRetryDelayInMs: 10 };
  return BlobServiceClient.fromConnectionString(connectionString, { retryOptions }).getContainerClient(name);
}

/** A trail as one instance of the app has it. */
export function newTrail(
  container: ContainerClient,
  {
    timeoutMs = 5_000,
    log = () => {},
    ...options
  }: Partial<ChainWriterOptions> & { timeoutMs?: number; log?: Log } = {},
) {
  const writing = { now: () => NIGHT, newId: () => randomUUID(), ...options };
  return createAuditTrail(createAuditFiles(container, timeoutMs), writing, log);
}

export function entry(resource: string): AuditEntry {
  return { action: 'key.revoke', reason: 'Revoked', resource };
}

/** The resources of every entry in the trail, in the order of the chain. */
export async function resources(container: ContainerClient): Promise<string[]> {
  const files = createAuditFiles(container);
  const names = (await files.list()).map(({ name }) => name).sort((a, b) => a.localeCompare(b));
  const found: { seq: number; resource: string }[] = [];

  for (const name of names) {
    const text = (await container.getBlobClient(name).downloadToBuffer()).toString();
    for (const line of text.split('\n')) {
      const record = parseRecord(Buffer.from(line));
      if (record?.entry) found.push({ seq: record.seq, resource: String(record.entry.resource) });
    }
  }

  return found.sort((a, b) => a.seq - b.seq).map(({ resource }) => resource);
}
