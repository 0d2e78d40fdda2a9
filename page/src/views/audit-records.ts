interface Numbered {
  readonly id: string;
  readonly seq: number;
}

/**
 * Records that are on the page with those that have come in, newest first, each once. What is newer pushes the older ones
 * out of the first page of the list: they stay here, or they would be on no page any more.
 */
export function joinRecords<T extends Numbered>(shown: readonly T[], read: readonly T[]): readonly T[] {
  // What was read last counts: that a record was changed afterwards is seen then.
  const all = new Map([...shown, ...read].map((record) => [record.id, record]));
  return [...all.values()].sort((a, b) => b.seq - a.seq);
}
