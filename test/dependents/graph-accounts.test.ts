import { expect, it } from 'vitest';
import { graphAccounts } from '../../src/dependents/graph-accounts.ts';
import type { GraphResource } from '../../src/dependents/resource-graph-client.ts';
import { type ManagedKey, managedKey } from '../../src/keys/managed-vaults.ts';
import { VAULT, versionName } from '../support/keys.ts';

const KEYS = ['a', 'b', 'c'].map((name) => managedKey(VAULT, name));

function accountOn({ name }: ManagedKey): GraphResource {
  const keyvaultproperties = { keyVaultUri: VAULT.uri, keyName: name, keyVersion: versionName(1) };
  return {
    ...{ id: `/accounts/on-${name}`, name, type: 'microsoft.storage/storageaccounts', location: 'westeurope' },
    ...{ subscriptionId: '', tags: { 'cmk-wave': '1' }, properties: { encryption: { keyvaultproperties } } },
  };
}

it('Keys that rotate at the same time share a query of Resource Graph', async () => {
  const queries: string[] = [];
  const accounts = graphAccounts({
    async *query(query) {
      queries.push(query);
      await new Promise((resolve) => setTimeout(resolve, 5));
      yield* KEYS.map(accountOn);
    },
  });
  const using = async (key: ManagedKey) => {
    const ids: string[] = [];
    for await (const { id } of accounts.using(key)) ids.push(id);
    return ids;
  };
  const [first, second, third] = KEYS as [ManagedKey, ManagedKey, ManagedKey];
  const asked = using(first);
  await Promise.resolve();
  const found = await Promise.all([asked, using(second), using(third)]);
  expect(found).toEqual([['/accounts/on-a'], ['/accounts/on-b'], ['/accounts/on-c']]);
  expect(queries).toHaveLength(2);
  expect(queries[1]).toContain("contains 'b' or tostring(properties) contains 'c'");
});

it('A caller of Resource Graph waits no longer than its signal', async () => {
  const accounts = graphAccounts({
    async *query() {
      await new Promise(() => {});
    },
  });
  const [key] = KEYS as [ManagedKey];
  await expect(accounts.using(key, AbortSignal.timeout(10))[Symbol.asyncIterator]().next()).rejects.toThrow();
});
