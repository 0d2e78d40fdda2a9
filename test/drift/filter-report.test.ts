import { describe, expect, it } from 'vitest';
import { filterReport } from '../../src/cli/procedures/app/drift-check.ts';
import { account, KEY } from './checks/subjects.ts';
import { finding, report } from './reports.ts';

const other = 'https://kv-other.vault.azure.net/keys/other-key';
const stale = finding({ id: 'stale' });
const scoped = finding({
  id: 'scoped',
  reason: 'KeyDisabled',
  severity: 'warning',
  resource: `${account().id}/encryptionScopes/s1`,
  cause: { id: 'c2', reason: 'RevocationOpen', about: [other] },
});
const ofKey = finding({
  id: 'ofKey',
  reason: 'NoExpiry',
  severity: 'advice',
  resource: `${KEY.id}/${'a'.repeat(32)}`,
  cause: { id: 'c3', reason: 'NoExpiry', about: ['x'] },
});
const whole = report({
  findings: [stale, scoped, ofKey],
  fixes: [{ finding: 'stale', reason: stale.reason, resource: stale.resource, outcome: 'done', detail: 'Moved.' }],
});
const ids = (filter: Parameters<typeof filterReport>[1]) => filterReport(whole, filter).findings.map(({ id }) => id);

describe('the findings that match a filter', () => {
  it('The findings that match no filter are all of them', () => {
    expect(filterReport(whole, { key: undefined, cause: [] })).toBe(whole);
  });

  it.each<[Parameters<typeof filterReport>[1], string[]]>([
    [{ key: [KEY.name] }, ['stale', 'ofKey']],
    [{ key: ['other-key'] }, ['scoped']],
    [{ subscription: [account().subscriptionId] }, ['stale', 'scoped']],
    [{ resourceGroup: [account().resourceGroup.toUpperCase()] }, ['stale', 'scoped']],
    [{ resourceGroup: ['rg-nowhere'] }, []],
    [{ health: ['Stale'] }, ['stale']],
    [{ health: ['revoked', 'NoAccess'] }, ['scoped']],
    [{ cause: ['revocationopen'] }, ['scoped']],
    [{ cause: ['KeyDisabled'] }, ['scoped']],
    [{ cause: ['kv-other/other-key', 'c3'] }, ['scoped', 'ofKey']],
    [{ cause: ['RevocationOpen'], key: [KEY.name] }, []],
  ])('The findings that match a filter are those with %j', (filter, expected) => {
    expect(ids(filter)).toEqual(expected);
  });

  it('The findings that match a filter have their own causes, fixes and counts', () => {
    const { causes, fixes, counts } = filterReport(whole, { cause: ['RevocationOpen'] });
    expect(causes).toMatchObject([{ id: 'c2', findings: 1 }]);
    expect(fixes).toEqual([]);
    expect(counts).toMatchObject({ error: 0, warning: 1, advice: 0 });
  });
});
