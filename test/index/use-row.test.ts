import { describe, expect, it } from 'vitest';
import { toUseChange, toUseRow, type UseRow } from '../../src/index/use-row.ts';
import { idOf } from '../controller/fleet.ts';
import { day, KEY, keyVersion } from '../support/keys.ts';

const NOON = day(20).toISOString();

/** A row with the longest texts that Azure allows. */
const LONGEST: UseRow = {
  key: KEY.id,
  account: idOf('a'.repeat(24)).replace('resourceGroups/rg', `resourceGroups/${'g'.repeat(90)}`),
  scope: 's'.repeat(63),
  location: 'westeurope',
  mode: 'pinned',
  pinned: keyVersion(1).version,
  current: keyVersion(1).version,
  identity: `/subscriptions/${'0'.repeat(36)}/resourceGroups/${'g'.repeat(90)}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${'i'.repeat(128)}`,
  wave: 'w'.repeat(256),
  readOn: NOON,
  state: 'done',
  reason: undefined,
  target: keyVersion(1).id,
  stamp: NOON,
  at: NOON,
  attempts: 0,
  notBefore: undefined,
  movedFrom: undefined,
};

describe('A use row', () => {
  it('A use row has room for the longest names of Azure', () => {
    const { partitionKey, rowKey, properties } = toUseChange(LONGEST);
    expect(toUseRow({ partitionKey, rowKey, ...properties })).toEqual(LONGEST);
  });

  const MANY = 'x'.repeat(9_000);

  it.each<Partial<UseRow>>([
    { scope: MANY },
    { location: MANY },
    { identity: MANY },
    { wave: MANY },
    { pinned: MANY },
    { current: MANY },
    { readOn: `2026-01-20T00:00:00.${'0'.repeat(9_000)}Z` },
  ])(
    "A use row is skipped if a text is longer than Azure's limit: a writer of the table must not fill the memory (%#)",
    (more) => {
      const long = { ...LONGEST, ...more };
      const { partitionKey, rowKey, properties } = toUseChange(long);
      expect(toUseRow({ partitionKey, rowKey, ...properties })).toBeUndefined();
    },
  );
});
