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

const app = (n: number) => `a9900000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const ROOM = 126;

describe('who revoked, as a tag names them', () => {
  it('is read back as it was written', () => {
    const applications = [app(1)];
    for (const who of [
      { revokedBy: ALICE },
      { revokedBy: ALICE, joined: [BOB, CAROL] },
      { revokedBy: app(1), joined: [BOB], applications },
      {
        revokedBy: ALICE,
        joined: [BOB, app(1)],
        shortened: [shortOf(CAROL)],
        applications,
        lacksApplications: true,
        isPartial: true,
      },
    ] satisfies Revokers[]) {
      expect(parseRevokers(formatRevokers(who, 500))).toEqual(who);
    }
  });

  it.each([
    '',
    'alice',
    `${ALICE}+`,
    'more',
    `more+${ALICE}`,
    `${ALICE}+more+${BOB}`,
    `app:+${ALICE}`,
    `0011aabb+${ALICE}`,
  ])('is nothing that this app has written: %s', (text) => expect(parseRevokers(text)).toBeUndefined());

  it('leaves out applications first, and of people those who revoked earlier, and says so', () => {
    const joined = [app(2), BOB, app(1), CAROL];
    const who = { revokedBy: ALICE, joined, applications: [app(1), app(2)] };
    expect(parseRevokers(formatRevokers(who, ROOM))).toEqual({
      ...{ revokedBy: ALICE, joined: [BOB, CAROL] },
      lacksApplications: true,
    });
    const people = { revokedBy: ALICE, joined: [BOB, CAROL, app(3)] };
    expect(parseRevokers(formatRevokers(people, ROOM))).toEqual({
      ...{ revokedBy: ALICE, joined: [BOB, CAROL] },
      shortened: [shortOf(app(3))],
    });
    const more = { revokedBy: ALICE, shortened: Array.from({ length: 11 }, (_, n) => shortOf(app(n))) };
    expect(parseRevokers(formatRevokers(more, ROOM))).toEqual({
      ...{ revokedBy: ALICE, shortened: more.shortened.slice(0, 9) },
      isPartial: true,
    });
  });

  it('never loses a person or an application without saying so, in any order of calls', () => {
    const id = fc.integer({ min: 1, max: 14 });
    const call = fc.record({ n: id, isApplication: fc.boolean() });
    fc.assert(
      fc.property(fc.array(call, { minLength: 1, maxLength: 20 }), (calls) => {
        let record: Revokers | undefined;
        const people = new Set<string>();
        const applications = new Set<string>();
        for (const { n, isApplication } of calls) {
          const revokedBy = isApplication ? app(n) : `0e450000-0000-4000-8000-${String(n).padStart(12, '0')}`;
          (isApplication ? applications : people).add(revokedBy);
          const own = { revokedBy, ...(isApplication ? { applications: [revokedBy] } : {}) };
          const text = formatRevokers(joinRevokers(own, record ? [record] : []), ROOM);
          expect(text.length).toBeLessThanOrEqual(ROOM);
          record = parseRevokers(text);
        }
        const known = (one: string): boolean => record !== undefined && hasRevoked(record, one);
        if (!record?.isPartial) expect([...people].filter((one) => !known(one))).toEqual([]);
        if (!record?.lacksApplications) expect([...applications].filter((one) => !known(one))).toEqual([]);
      }),
    );
  });
});
