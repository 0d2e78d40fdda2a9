import { expect, it } from 'vitest';
import { UniqueRecords } from '../../src/audit/unique-records.ts';

interface Sketch {
  readonly seq: number;
  readonly id?: string;
  readonly reason?: string;
  readonly call?: string;
  readonly found?: true;
}

/** Numbers of the records that are shown, newest first. */
function shown(...newestFirst: readonly Sketch[]): number[] {
  const records = new UniqueRecords<{ readonly seq: number; readonly entry: { readonly reason: string } }>();

  for (const { seq, id, reason = 'Revoked', call, found } of newestFirst) {
    const details = found ? { details: { foundIn: 'key-work' } } : {};
    records.add({
      seq,
      entry: { reason, ...(id ? { id } : {}), ...(call ? { correlationId: call } : {}), ...details },
    });
  }

  expect(records.size).toBe(records.all.length);

  return records.all.map(({ seq }) => seq);
}

it('a record that was written twice is shown once, as first written', () => {
  expect(shown({ seq: 3, id: 'a', call: 'c' }, { seq: 2, id: 'b' }, { seq: 1, id: 'a', call: 'c' })).toEqual([2, 1]);
});

it('a record reconstructed from an observation never replaces an original one, whichever is newer', () => {
  expect(shown({ seq: 2, id: 'a', found: true }, { seq: 1, id: 'a' })).toEqual([1]);
  expect(shown({ seq: 2, id: 'a' }, { seq: 1, id: 'a', found: true })).toEqual([2]);
  expect(shown({ seq: 2, id: 'a', found: true }, { seq: 1, id: 'a', found: true })).toEqual([1]);
});

it('records of different calls or outcomes, and records without an id, are all shown', () => {
  expect(shown({ seq: 2, id: 'a', call: 'd' }, { seq: 1, id: 'a', call: 'c' })).toEqual([2, 1]);
  expect(shown({ seq: 2, id: 'a' }, { seq: 1, id: 'a', reason: 'RevocationIncomplete' })).toEqual([2, 1]);
  expect(shown({ seq: 2 }, { seq: 1 })).toEqual([2, 1]);
});
