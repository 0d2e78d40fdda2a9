import { describe, expect, it } from 'vitest';
import { hasDependents } from '../../src/accounts/inventory.ts';
import type { Account, Scope } from '../../src/fleet/account.ts';
import type { StorageAccounts } from '../../src/fleet/storage-client.ts';
import type { UseRow, UseRows } from '../../src/fleet/use-row.ts';
import { KEY, SUBSCRIPTION } from '../support/keys.ts';

function account(name: string, keyName = 'other-key'): Account {
  const type = 'Microsoft.Storage/storageAccounts';
  return {
    id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/${type}/${name}`,
    ...{ subscriptionId: SUBSCRIPTION, resourceGroup: 'rg', type, name, location: 'westeurope', tags: {} },
    ...{ userAssignedIdentities: [], principalIds: {}, systemPrincipalId: undefined },
    encryption: {
      keySource: 'Microsoft.Keyvault',
      keyVaultProperties: { keyVaultUri: KEY.vault.uri, keyName, keyVersion: '' },
    },
  };
}

const scope: Scope = { name: 'scope1', enabled: true, keyUri: KEY.id, currentKeyId: undefined };

interface Fleet {
  readonly indexed?: readonly Pick<UseRow, 'account'>[] | Error;
  /** Accounts, and their scopes or why these cannot be read. */
  readonly listed?: readonly (readonly [Account, ...(Scope | Error)[]])[];
}

function has({ indexed = [], listed = [] }: Fleet) {
  async function* all<T>(found: readonly (T | Error)[]) {
    for (const one of found) {
      if (one instanceof Error) throw one;
      yield one;
    }
  }
  const accounts = {
    list: () => all(listed.map(([one]) => one)),
    listScopes: ({ name }: Account) => all(listed.find(([one]) => one.name === name)?.slice(1) ?? []),
  } as unknown as StorageAccounts;
  const useRows = { of: () => all([indexed].flat()) } as unknown as UseRows;
  return hasDependents(KEY, async () => [SUBSCRIPTION], { accounts, useRows });
}

describe('whether anything uses a key', () => {
  it('is shown by one use in the index', async () => {
    expect(await has({ indexed: [{ account: account('st1').id }] })).toEqual({ answer: 'some' });
  });

  it.each([
    ['cannot be read', new Error('no table')],
    ['has no use of it', []],
  ])('is searched for in lists if the index %s', async (_, indexed) => {
    expect(await has({ indexed, listed: [[account('st1', KEY.name)]] })).toEqual({ answer: 'some' });
    expect(await has({ indexed, listed: [[account('st2')]] })).toEqual({ answer: 'none' });
    expect(await has({ indexed, listed: [[account('st2'), scope]] })).toEqual({ answer: 'some' });
  });

  it('is not known while one account does not tell its scopes', async () => {
    const refusal = Object.assign(new Error('no'), { statusCode: 403, code: 'AuthorizationFailed' });
    expect(await has({ listed: [[account('st1'), refusal]] })).toMatchObject({ answer: 'unknown' });
  });
});
