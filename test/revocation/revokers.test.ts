import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatRevokers,
  hasRevoked,
  joinRevokers,
  parseRevokers,
  type Revokers,
  shortOf,
} from '../../src/revocation/revokers.ts';
import { ALICE, BOB, CAROL } from './records.ts';

const caller = (n: number) => `a9900000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const ROOM = 126;

describe('the revokers in a tag', () => {
  it.each<Revokers>([
    { revokedBy: ALICE },
    { revokedBy: ALICE, joined: [shortOf(BOB), shortOf(CAROL)] },
    { revokedBy: ALICE, joined: [shortOf(BOB)], isPartial: true },
  ])('The revokers in a tag are parsed as they were written', (who) => {
    expect(parseRevokers(formatRevokers(who, 500))).toEqual(who);
  });

  it.each([
    '',
    'alice',
    `${ALICE}+`,
    'more',
    `more+${ALICE}`,
    `${ALICE}+${BOB}`,
    `${ALICE}+more+${BOB}`,
    `0011aabb+${ALICE}`,
  ])('A tag that the app did not write contains no revokers: %s', (text) =>
    expect(parseRevokers(text)).toBeUndefined(),
  );

  it('A tag has at most eleven revokers, and marks that earlier ones are omitted', () => {
    const joined = Array.from({ length: 11 }, (_, n) => shortOf(caller(n)));
    expect(parseRevokers(formatRevokers({ revokedBy: ALICE, joined: joined.slice(0, 10) }, ROOM))?.joined).toHaveLength(
      10,
    );
    const read = parseRevokers(formatRevokers({ revokedBy: ALICE, joined }, ROOM));
    expect(read).toEqual({ revokedBy: ALICE, joined: joined.slice(0, 9), isPartial: true });
  });

  it('The revokers in a tag are complete or marked as partial, in any order of calls', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 20 }), (calls) => {
        let record: Revokers | undefined;
        for (const n of calls) {
          const text = formatRevokers(joinRevokers({ revokedBy: caller(n) }, record ? [record] : []), ROOM);
          expect(text.length).toBeLessThanOrEqual(ROOM);
          record = parseRevokers(text);
        }
        const isKnown = (n: number): boolean => record !== undefined && hasRevoked(record, caller(n));
        expect(record?.isPartial || calls.every(isKnown)).toBe(true);
      }),
    );
  });
});
