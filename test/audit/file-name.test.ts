import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareFileNames, formatFileName, nameFileAfter, parseFileName } from '../../src/audit/file-name.ts';
import { formatDay } from '../../src/formats/duration.ts';

describe('a file name of the audit trail', () => {
  it.each([
    ['2026-11-24.jsonl', { day: '2026-11-24', part: 0 }],
    ['2026-11-24.1.jsonl', { day: '2026-11-24', part: 1 }],
    ['2026-11-24.12.jsonl', { day: '2026-11-24', part: 12 }],
  ])('A file name of the audit trail has a day and perhaps a part: %s', (name, parsed) => {
    expect(parseFileName(name)).toEqual(parsed);
    expect(formatFileName(parsed)).toBe(name);
  });

  it.each(['2026-11-24.0.jsonl', '2026-11-24.json', 'x/2026-11-24.jsonl', '2026-11-24.01.jsonl', ''])(
    'A file name of the audit trail is never %j',
    (name) => expect(parseFileName(name)).toBeUndefined(),
  );

  it('File names of the audit trail are sorted by day and part, not as text', () => {
    const sorted = [
      '2026-11-23.jsonl',
      '2026-11-24.jsonl',
      '2026-11-24.2.jsonl',
      '2026-11-24.10.jsonl',
      '2026-11-25.jsonl',
    ];
    expect([...sorted].reverse().sort(compareFileNames)).toEqual(sorted);
  });

  it('A file of the audit trail is followed by the next day or the next part, never by an earlier one', () => {
    expect(nameFileAfter('2026-11-24.jsonl', '2026-11-26')).toBe('2026-11-26.jsonl');
    expect(nameFileAfter('2026-11-24.jsonl', '2026-11-24')).toBe('2026-11-24.1.jsonl');
    const day = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }).map(formatDay);
    fc.assert(
      fc.property(day, fc.nat(1_000), day, (current, part, today) => {
        const name = formatFileName({ day: current, part });
        expect(compareFileNames(nameFileAfter(name, today), name)).toBeGreaterThan(0);
      }),
    );
  });
});
