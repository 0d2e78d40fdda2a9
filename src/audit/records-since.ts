import type { AuditFiles } from './audit-files.ts';
import { CLOCKS_APART_MS } from './find-entry.ts';
import { linesBackwards } from './read-backwards.ts';
import { type AuditRecord, parseRecord } from './record.ts';
import { mayHold } from './trail-filter.ts';

/**
 * Lists the intact records since then whose JSON has a text, newest first. Of each read it parses the lines that have the text,
 * and the oldest line, whose time says when to stop.
 *
 * @param text as a record has it in its JSON
 * @param signal ends the reading: it may go back by months
 * @throws the SDK's error when the trail cannot be read, and the reason of the signal
 */
export async function* recordsSince(
  files: AuditFiles,
  text: string,
  since: Date,
  signal?: AbortSignal,
): AsyncGenerator<AuditRecord> {
  const first = since.getTime() - CLOCKS_APART_MS;
  for await (const { lines } of linesBackwards(files, { isWanted: mayHold({ since }) })) {
    signal?.throwIfAborted();
    const oldest = lines.at(-1);
    for (const line of lines) {
      if (line !== oldest && !line.bytes.includes(text)) continue;
      const record = parseRecord(line.bytes);
      if (record && Date.parse(record.time) < first) return;
      if (record?.intact) yield record;
    }
  }
}
