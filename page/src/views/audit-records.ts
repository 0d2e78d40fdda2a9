import { type RepeatableRecord, UniqueRecords } from '../../../src/audit/unique-records.ts';

interface Numbered extends RepeatableRecord {
  readonly id: string;
  readonly seq: number;
}

/**
 * Records that are on the page with those that have come in, newest first, each once: a page of the list does not know what
 * the pages before it have. What is newer pushes the older ones out of the first page of the list: they stay here, or they
 * would be on no page any more.
 */
export function joinRecords<T extends Numbered>(shown: readonly T[], read: readonly T[]): readonly T[] {
  // What was read last counts: that a record was changed afterwards is seen then.
  const all = new Map([...shown, ...read].map((record) => [record.id, record]));
  const unique = new UniqueRecords<T>();
  for (const record of [...all.values()].sort((a, b) => b.seq - a.seq)) unique.add(record);
  return unique.all;
}
