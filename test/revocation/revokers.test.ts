import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRevokers, joinRevokers, parseRevokers, type Revokers } from '../../src/revocation/revokers.ts';
import { ALICE, BOB, CAROL } from './records.ts';

const app = (n: number) => `a9900000-0000-4000-8000-00000000000${n}`;
const ROOM = 126;

describe('who revoked, as a tag names them', () => {
  it('is read back as it was written', () => {
    const applications = [app(1)];
    for (const who of [
      { revokedBy: ALICE },
      { revokedBy: ALICE, joined: [BOB, CAROL] },
      { revokedBy: app(1), joined: [BOB], applications },
      { revokedBy: ALICE, joined: [BOB, app(1)], applications, isPartial: true },
    ] satisfies Revokers[]) {
      expect(parseRevokers(formatRevokers(who, 500))).toEqual(who);
    }
  });

  it.each(['', 'alice', `${ALICE}+`, 'more', `more+${ALICE}`, `${ALICE}+more+${BOB}`, `app:+${ALICE}`])(
    'is nothing that this app has written: %s',
    (text) => expect(parseRevokers(text)).toBeUndefined(),
  );

  it('leaves out applications first, and of people those who revoked earlier, and says so', () => {
    const joined = [app(2), BOB, app(1), CAROL];
    const who = { revokedBy: ALICE, joined, applications: [app(1), app(2)] };
    expect(parseRevokers(formatRevokers(who, ROOM))).toEqual({ revokedBy: ALICE, joined: [BOB, CAROL] });
    const people = { revokedBy: ALICE, joined: [BOB, CAROL, app(3)] };
    expect(parseRevokers(formatRevokers(people, ROOM))).toEqual({
      ...{ revokedBy: ALICE, joined: [BOB, CAROL] },
      isPartial: true,
    });
  });

  it('never loses a person without saying so, in any order of calls', () => {
    const id = fc.integer({ min: 1, max: 9 });
    const call = fc.record({ n: id, isApplication: fc.boolean() });
    fc.assert(
      fc.property(fc.array(call, { minLength: 1, maxLength: 12 }), (calls) => {
        let record: Revokers | undefined;
        const people = new Set<string>();
        for (const { n, isApplication } of calls) {
          const revokedBy = isApplication ? app(n) : `0e450000-0000-4000-8000-00000000000${n}`;
          if (!isApplication) people.add(revokedBy);
          const own = { revokedBy, ...(isApplication ? { applications: [revokedBy] } : {}) };
          const text = formatRevokers(joinRevokers(own, record ? [record] : []), ROOM);
          expect(text.length).toBeLessThanOrEqual(ROOM);
          record = parseRevokers(text);
        }
        const named = new Set([record?.revokedBy, ...(record?.joined ?? [])]);
        if (!record?.isPartial) expect([...people].filter((one) => !named.has(one))).toEqual([]);
      }),
    );
  });
});
