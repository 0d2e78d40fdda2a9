import { type RepeatableRecord, UniqueRecords } from '../../../src/audit/unique-records.ts';

interface Numbered extends RepeatableRecord {
  readonly id: string;
  readonly seq: number;
}

/**
 * The records on the page together with newly read ones, newest first, each once: the pages of the list overlap. New
 * records push old ones out of the first page of the list, so this keeps them.
 */
export function joinRecords<T extends Numbered>(shown: readonly T[], read: readonly T[]): readonly T[] {
  // The latest reading counts, since it shows whether a record was changed afterwards.
  const all = new Map([...shown, ...read].map((record) => [record.id, record]));
  const unique = new UniqueRecords<T>();
  for (const record of [...all.values()].sort((a, b) => b.seq - a.seq)) unique.add(record);
  return unique.all;
}
