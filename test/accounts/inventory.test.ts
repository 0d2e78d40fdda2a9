import { describe, expect, it } from 'vitest';
import type { Account, Scope } from '../../src/accounts/account.ts';
import { hasDependents } from '../../src/accounts/inventory.ts';
import type { StorageAccounts } from '../../src/accounts/storage-client.ts';
import type { FleetAccount, FleetIndex } from '../../src/index/fleet-index.ts';
import type { UseRow, UseRows } from '../../src/index/use-row.ts';
import { day, KEY, SUBSCRIPTION } from '../support/keys.ts';

const NOW = day(20);
const HOUR_AGO = new Date(NOW.getTime() - 3_600_000);
const LONG_AGO = day(10);

function account(name: string, keyName = 'other-key'): Account {
  const type = 'Microsoft.Storage/storageAccounts';

  return {
    id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/${type}/${name}`,
    subscriptionId: SUBSCRIPTION,
    resourceGroup: 'rg',
    type,
    name,
    location: 'westeurope',
    tags: {},
    userAssignedIdentities: [],
    principalIds: {},
    systemPrincipalId: undefined,
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
  /** When a worker listed the subscription last; absent: never. */
  readonly listedOn?: Date;
  /** Accounts in the index. */
  readonly known?: readonly Partial<FleetAccount>[];
}

function has({ indexed = [], listed = [], listedOn, known = [] }: Fleet) {
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

  const fleet: Pick<FleetIndex, 'listings' | 'accounts'> = {
    listings: async () => new Map(listedOn ? [[SUBSCRIPTION, listedOn]] : []),
    accounts: async function* () {
      yield* known.map((one) => ({ scopeKeys: [], ...one }) as unknown as FleetAccount);
    },
  };

  return hasDependents(KEY, async () => [SUBSCRIPTION], { accounts, useRows, fleet, now: () => NOW });
}

describe('The search for accounts that use a key', () => {
  it('One use in the index shows that an account uses a key', async () => {
    expect(await has({ indexed: [{ account: account('st1').id }] })).toEqual({ answer: 'some' });
  });

  it.each([
    ['cannot be read', new Error('no table')],
    ['has no use of it', []],
  ])('The lists of Azure show whether an account uses a key if the index %s', async (_, indexed) => {
    expect(await has({ indexed, listed: [[account('st1', KEY.name)]] })).toEqual({ answer: 'some' });
    expect(await has({ indexed, listed: [[account('st2')]] })).toEqual({ answer: 'none' });
    expect(await has({ indexed, listed: [[account('st2'), scope]] })).toEqual({ answer: 'some' });
  });

  it('An index that has listed each subscription and all scopes shows that no account uses a key, without a list of Azure', async () => {
    const unlisted = Object.assign(new Error('no list is expected'), { statusCode: 403 });
    const known = [{ scopesReadOn: HOUR_AGO.toISOString() }];
    const whole = { listedOn: HOUR_AGO, known, listed: [[account('st1'), unlisted]] } as const;
    expect(await has(whole)).toEqual({ answer: 'none' });
  });

  it.each<[string, Fleet]>([
    ['was never listed', { known: [] }],
    ['was listed days ago', { listedOn: LONG_AGO }],
    ['has an account whose scopes were never listed', { listedOn: HOUR_AGO, known: [{}] }],
    [
      'has an account whose scopes were listed days ago',
      { listedOn: HOUR_AGO, known: [{ scopesReadOn: LONG_AGO.toISOString() }] },
    ],
    [
      'has an account that names the key, and no use of it yet',
      { listedOn: HOUR_AGO, known: [{ key: KEY.id, scopesReadOn: HOUR_AGO.toISOString() }] },
    ],
  ])('The lists of Azure show whether an account uses a key in a subscription that %s', async (_, fleet) => {
    expect(await has({ ...fleet, listed: [[account('st1', KEY.name)]] })).toEqual({ answer: 'some' });
  });

  it('It is unknown whether an account uses a key while the scopes of one account cannot be read', async () => {
    const refusal = Object.assign(new Error('no'), { statusCode: 403, code: 'AuthorizationFailed' });
    expect(await has({ listed: [[account('st1'), refusal]] })).toMatchObject({ answer: 'unknown' });
  });
});
