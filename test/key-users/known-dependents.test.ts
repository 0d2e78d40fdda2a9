import { describe, expect, it } from 'vitest';
import type { UseRow } from '../../src/index/use-row.ts';
import { includesOwnStorage, KnownAccounts } from '../../src/key-users/known-dependents.ts';
import { AUTOMATIC, accountId, useRow } from '../status/use-rows.ts';
import { PUBLIC, versionName } from '../support/keys.ts';

function accountsOf(...uses: readonly UseRow[]) {
  const known = new KnownAccounts();
  for (const use of uses) known.add(use);
  return known.all();
}

describe('An account in the index', () => {
  it('An account in the index is a dependent with its mode, the version in use and its scopes', () => {
    const scope = { scope: 'scope1', current: versionName(1) };
    expect(accountsOf(useRow(1, AUTOMATIC), useRow(1, scope), useRow(0))).toEqual([
      { id: accountId(0), name: 'st0', region: 'westeurope', mode: 'pinned', version: versionName(100), scopes: [] },
      {
        id: accountId(1),
        name: 'st1',
        region: 'westeurope',
        mode: 'automatic',
        version: versionName(1),
        scopes: [{ name: 'scope1', mode: 'pinned', version: versionName(1) }],
      },
    ]);
  });

  it('An account in the index is a dependent by its scope alone', () => {
    expect(accountsOf(useRow(1, { scope: 'scope1' }))).toMatchObject([
      { name: 'st1', mode: 'scopesOnly', scopes: [{ name: 'scope1' }] },
    ]);
  });
});

describe('The own storage of the app', () => {
  const storage = { accountName: 'st1', blobUri: '', queueUri: '', tableUri: '' };
  const settings = { cloud: PUBLIC, storage };
  const other = { id: accountId(1), region: '', subscriptionId: '', uses: [], known: true };

  it("The app's own storage is among the dependents by an account or scope in the index, or by Resource Graph", () => {
    const byScope = accountsOf(useRow(1, { scope: 'scope1' }));
    const found = { ...other, name: 'ST1', type: 'microsoft.storage/storageaccounts' };
    expect(includesOwnStorage({ accounts: byScope, otherResources: [] }, settings)).toBe(true);
    expect(includesOwnStorage({ accounts: [], otherResources: [found] }, settings)).toBe(true);
  });

  it("The app's own storage is not among the dependents because of another resource with its name", () => {
    const server = { ...other, name: 'st1', type: 'microsoft.sql/servers' };
    const accounts = accountsOf(useRow(2));
    expect(includesOwnStorage({ accounts, otherResources: [server] }, settings)).toBe(false);
  });
});
