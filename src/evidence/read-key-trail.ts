import type { AuditFiles } from '../audit/audit-client.ts';
import { readLinesBackwards } from '../audit/lines.ts';
import { type AuditRecord, parseRecord } from '../audit/record.ts';
import { FactCollector } from './fact-collector.ts';
import type { ReadTrail } from './key-history.ts';

/**
 * Reads what the trail has about one key, from its end backwards. Uses intact records, and does not verify the chain:
 * `verifyTrail` does.
 *
 * @param id key identifier, in lower case
 * @param mostBytes the read ends after this many bytes, or when the signal aborts
 * @throws the SDK's error when the app cannot read the trail
 */
export async function readKeyTrail(
  files: AuditFiles,
  id: string,
  mostBytes: number,
  signal?: AbortSignal,
): Promise<ReadTrail> {
  const found: AuditRecord[] = [];
  let since: string | undefined;
  let read = 0;
  let whole = true;

  for await (const { lines, slice } of readLinesBackwards(files)) {
    const oldest = lines.at(-1);

    for (const line of lines) {
      const isAbout = line.bytes.includes(id);
      const record = isAbout || line === oldest ? parseRecord(line.bytes) : undefined;
      if (!record?.intact) continue;

      since = record.time;
      if (isAbout) found.push(record);
    }

    read += slice.bytes.length;
    if (read >= mostBytes || signal?.aborted) {
      whole = false;
      break;
    }
  }

  // The earliest of several records with one id counts.
  const facts = new FactCollector();
  for (const record of found.reverse()) facts.collect(record);

  return { evidence: facts.toEvidence().get(id), since, whole };
}
