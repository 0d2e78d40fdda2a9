import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AccountRevocation,
  accountRevokers,
  formatAccountRevocation,
  openOfPart,
  readAccountRevocations,
  tagsOfRecord,
  takenId,
} from '../../src/revocation/account-record.ts';
import { localRole, PRINCIPAL, role, VAULT } from './account-parts.ts';
import { ALICE, BOB } from './records.ts';

const NOW = new Date('2026-03-02T12:00:00.000Z');
const REVOCATION: AccountRevocation = {
  id: 'f00d',
  revokedOn: new Date('2026-03-02T10:00:00.000Z'),
  revokedBy: ALICE,
  part: 'identity',
  took: [role(1)],
};
const tagsOf = (change: Partial<AccountRevocation> = {}) =>
  formatAccountRevocation({ ...REVOCATION, ...change }) as Record<string, string>;

describe('the record of a revocation below the key', () => {
  it('comes back as it was written, in tags that Azure takes, whatever an assignment says', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 400 });
    fc.assert(
      fc.property(text, text, fc.boolean(), (description, condition, joined) => {
        const written: AccountRevocation = {
          ...REVOCATION,
          ...(joined ? { joined: [BOB] } : {}),
          took: [role(1, { description, condition, conditionVersion: '2.0' }), { kind: 'scope', name: 'scope1' }],
        };
        const tags = formatAccountRevocation(written);
        if (!tags) return; // longer than tags hold: it is not begun
        for (const [name, value] of Object.entries(tags)) {
          expect(name).toMatch(/^[a-z0-9.-]{1,128}$/);
          expect(value).toMatch(/^[\x20-\x7e]{1,256}$/);
        }
        expect(readAccountRevocations({ owner: 'finance', ...tags }, NOW)).toEqual({ open: [written], unbelieved: [] });
      }),
      { numRuns: 200 },
    );
  });

  it('is not written where it is longer than tags hold', () => {
    expect(formatAccountRevocation({ ...REVOCATION, took: [role(1, { description: 'x'.repeat(6_000) })] })).toBe(
      undefined,
    );
  });

  it('that fills all the tags there may be is in none too long for Azure', () => {
    const long = { ...REVOCATION, took: [role(1, { description: 'x'.repeat(4_500) })] };
    const tags = tagsOf(long);
    expect(Object.keys(tags)).toHaveLength(20);
    expect(Math.max(...Object.values(tags).map(({ length }) => length))).toBeLessThanOrEqual(256);
    expect(readAccountRevocations(tags, NOW).open).toEqual([long]);
  });

  it('knows one thing again, whoever spells it', () => {
    expect(takenId({ kind: 'scope', name: 'Scope1' })).toBe(takenId({ kind: 'scope', name: 'scope1' }));
    expect(takenId(role(1))).not.toBe(takenId(role(2)));
    expect(takenId(role(1, { scope: VAULT.toUpperCase() }))).toBe(takenId(role(1)));
    expect(takenId(localRole(1))).not.toBe(takenId(localRole(1, 'https://other.managedhsm.azure.net')));
    expect(takenId(localRole(1))).not.toBe(takenId(localRole(2)));
  });

  it('is read however Azure spells the names of tags', () => {
    const tags = Object.entries(tagsOf()).map(([name, value]) => [name.toUpperCase(), value]);
    expect(readAccountRevocations(Object.fromEntries(tags), NOW).open).toEqual([REVOCATION]);
  });

  it.each<[string, (tags: Record<string, string>) => Record<string, string>]>([
    ['a piece is missing', (tags) => Object.fromEntries(Object.entries(tags).slice(1))],
    ['it is of no time', () => tagsOf({ revokedOn: new Date('2026-03-02T12:10:00.000Z') })],
    ['its person is none', (tags) => edited(tags, ALICE, 'somebody')],
    ['one who has joined it is none', () => edited(tagsOf({ joined: [BOB] }), BOB, 'somebody')],
    ['whoever is to have a role again is none', () => tagsOf({ took: [role(1, { principalId: 'somebody' })] })],
    ['a role was on nothing that Azure has', () => tagsOf({ took: [role(1, { scope: 'kv-files' })] })],
    ['it names what this app does not write', (tags) => edited(tags, '"part"', '"port"')],
    ['its pieces are not numbered', (tags) => edited(tags, '1/2 ', '')],
    ['it is no JSON', () => ({ 'cmk-revoked-f00d': '1/1 {' })],
    ['its pieces are of different totals', (tags) => edited(tags, '1/2 ', '1/3 ')],
    ['it has more pieces than it says', (tags) => ({ ...tags, 'cmk-revoked-f00d.3': '3/2 ' })],
    [
      "pieces have each other's names",
      ({ 'cmk-revoked-f00d': first = '', 'cmk-revoked-f00d.2': second = '' }) => ({
        'cmk-revoked-f00d': second,
        'cmk-revoked-f00d.2': first,
      }),
    ],
    ['pieces are numbered alike', (tags) => edited(tags, '2/2 ', '1/2 ')],
  ])('does not count when %s', (_, change) => {
    const tags = change(tagsOf());
    expect(readAccountRevocations(tags, NOW)).toEqual({ open: [], unbelieved: ['f00d'] });
  });

  it('counts though its clock is ahead: by what clocks may differ, and a minute for being newer than others', () => {
    const aheadMs = 6 * 60_000;
    const read = (ms: number) => readAccountRevocations(tagsOf({ revokedOn: new Date(NOW.getTime() + ms) }), NOW);
    expect(read(aheadMs).open).toHaveLength(1);
    expect(read(aheadMs + 1).unbelieved).toEqual(['f00d']);
  });

  it('names everybody who has a part in it, also those whose own record is gone, however they are spelled', () => {
    const joined = { ...REVOCATION, revokedBy: BOB.toUpperCase(), joined: [ALICE.toUpperCase()] };
    expect(accountRevokers([joined])).toEqual([BOB, ALICE]);
  });

  it('tells parts apart, newest first, and who has a part in them', () => {
    const later = { id: 'beef', revokedOn: new Date('2026-03-02T11:00:00.000Z'), revokedBy: BOB };
    const scope = { id: 'cafe', part: 'scope:scope1', took: [] } as const;
    const tags = { ...tagsOf(), ...tagsOf(later), ...tagsOf(scope) };
    expect(openOfPart(tags, 'identity', NOW).map(({ id }) => id)).toEqual(['beef', 'f00d']);
    expect(openOfPart(tags, 'scope:SCOPE1', NOW).map(({ id }) => id)).toEqual(['cafe']);
    expect(accountRevokers(openOfPart(tags, 'identity', NOW))).toEqual([BOB, ALICE]);
    expect(tagsOfRecord(tags, 'beef')).toEqual(tagsOf(later));
    expect(JSON.stringify(tags)).toContain(PRINCIPAL);
  });
});

function edited(tags: Record<string, string>, from: string, to: string): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, value.replace(from, to)]));
}
