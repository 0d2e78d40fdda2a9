import { expect, it } from 'vitest';
import { joinRecords } from '../../page/src/views/audit-records.ts';

const record = (
  seq: number,
  entry: { readonly id?: string; readonly details?: { readonly foundIn: string } } = {},
) => ({
  id: `r${seq}`,
  seq,
  intact: true,
  entry: { reason: 'Moved', ...entry },
});
const records = (...numbers: readonly number[]) => numbers.map((seq) => record(seq));

it('The page keeps audit records that newer ones pushed out of the first page', () => {
  const before = joinRecords([], records(9, 8, 7, 6, 5, 4));
  const after = joinRecords(before, [...records(6, 5, 4), ...records(12, 11, 10)]);
  expect(after.map(({ seq }) => seq)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4]);
});

it('The page shows an audit record once, as it was read last', () => {
  const changed = records(2).map((one) => ({ ...one, intact: false }));
  expect(joinRecords(records(2, 1), changed)).toEqual([...changed, ...records(1)]);
});

it('The page shows a move once that was recorded twice after a worker died', () => {
  const again = record(9, { id: 'move', details: { foundIn: 'cmkfleet' } });
  const pages = [again, ...records(8, 7), record(6, { id: 'move' }), ...records(5)];
  expect(joinRecords([], pages).map(({ seq }) => seq)).toEqual([8, 7, 6, 5]);
});
