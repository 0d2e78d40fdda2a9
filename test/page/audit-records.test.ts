import { expect, it } from 'vitest';
import { joinRecords } from '../../page/src/views/audit-records.ts';

const records = (...numbers: readonly number[]) => numbers.map((seq) => ({ id: `r${seq}`, seq, intact: true }));

it('keeps what newer records have pushed out of the first page', () => {
  const before = joinRecords([], records(9, 8, 7, 6, 5, 4));
  const after = joinRecords(before, [...records(6, 5, 4), ...records(12, 11, 10)]);
  expect(after.map(({ seq }) => seq)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4]);
});

it('has each once, as it was read last', () => {
  const changed = records(2).map((record) => ({ ...record, intact: false }));
  expect(joinRecords(records(2, 1), changed)).toEqual([...changed, ...records(1)]);
});
