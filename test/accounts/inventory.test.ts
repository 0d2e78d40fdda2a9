import { describe, expect, it } from 'vitest';
import { hasDependents } from '../../src/accounts/inventory.ts';
import type { Account, Scope } from '../../src/fleet/account.ts';
import type { StorageAccounts } from '../../src/fleet/storage-client.ts';
import type { UseRow, UseRows } from '../../src/fleet/use-row.ts';
import { KEY, SUBSCRIPTION } from '../support/keys.ts';

function account(name: string, keyName = 'other-key', more: Partial<Account> = {}): Account {
  const subscriptionId = more.subscriptionId ?? SUBSCRIPTION;
  const type = 'Microsoft.Storage/storageAccounts';
  return {
    id: `/subscriptions/${subscriptionId}/resourceGroups/rg/providers/${type}/${name}`,
    ...{ subscriptionId, resourceGroup: 'rg', type, name, location: 'westeurope', tags: {} },
    ...{ userAssignedIdentities: [], principalIds: {}, systemPrincipalId: undefined },
    encryption: {
      keySource: 'Microsoft.Keyvault',
      keyVaultProperties: { keyVaultUri: KEY.vault.uri, keyName, keyVersion: '' },
    },
    ...more,
  };
}

const scopeOf = (keyUri: string): Scope => ({ name: 'scope1', enabled: true, keyUri, currentKeyId: undefined });
const refusal = (statusCode: number, code: string) =>
  Object.assign(new Error(code), { name: 'RestError', statusCode, code });

/** A fleet, what of it refuses, and what was asked. */
class Fleet {
  accounts: readonly Account[] = [];
  readonly scopes = new Map<string, Scope>();
  readonly refused = new Map<string, Error>();
  readonly asked: string[] = [];
  /** Accounts that a list has told. */
  listed = 0;
  indexed: Pick<UseRow, 'account' | 'scope'>[] | Error = [];

  services() {
    const ask = (what: string, name: string): void => {
      this.asked.push(`${what} ${name}`);
      const refused = this.refused.get(name);
      if (refused) throw refused;
    };
    const all = () => this.accounts;
    const told = (): void => {
      this.listed += 1;
    };
    const [scopes, uses] = [this.scopes, () => this.indexed];
    const accounts = {
      async *list(subscription: string) {
        ask('list', subscription);
        for (const one of all().filter(({ subscriptionId }) => subscriptionId === subscription)) {
          told();
          yield one;
        }
      },
      async *listScopes({ name }: { name: string }) {
        ask('scopes', name);
        const scope = scopes.get(name);
        if (scope) yield scope;
      },
    } as unknown as StorageAccounts;
    const useRows = {
      async *of() {
        const rows = uses();
        if (rows instanceof Error) throw rows;
        yield* rows;
      },
    } as unknown as UseRows;
    return { accounts, useRows };
  }

  has(subscriptions: readonly string[] = [SUBSCRIPTION]) {
    return hasDependents(KEY, async () => subscriptions, this.services());
  }
}

describe('whether anything uses a key', () => {
  it('is shown by one use in the index, and nothing is listed', async () => {
    const fleet = new Fleet();
    fleet.indexed = [{ account: account('st1').id }];
    expect(await fleet.has()).toEqual({ answer: 'some' });
    expect(fleet.asked).toEqual([]);
  });

  it.each([
    ['cannot be read', new Error('no table')],
    ['has no use of it', []],
  ])('is searched for in lists if the index %s', async (_, indexed) => {
    const fleet = new Fleet();
    fleet.accounts = [account('st1', KEY.name)];
    fleet.indexed = indexed;
    expect(await fleet.has()).toEqual({ answer: 'some' });
    fleet.accounts = [account('st2')];
    expect(await fleet.has()).toEqual({ answer: 'none' });
    fleet.scopes.set('st2', scopeOf(KEY.id));
    expect(await fleet.has()).toEqual({ answer: 'some' });
  });

  it('is not known while one account does not tell its scopes', async () => {
    const fleet = new Fleet();
    fleet.accounts = [account('st1')];
    fleet.refused.set('st1', refusal(403, 'AuthorizationFailed'));
    expect(await fleet.has()).toMatchObject({ answer: 'unknown' });
  });
});
