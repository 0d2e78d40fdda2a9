import { describe, expect, it } from 'vitest';
import { IndexRows } from '../../src/drift/gather/index-rows.ts';
import type { Account } from '../../src/fleet/account.ts';
import type { UseRow } from '../../src/fleet/use-row.ts';
import { account, DAYS, KEY, NEW, NOW } from './checks/subjects.ts';

const SUBSCRIPTION = account().subscriptionId;
const EARLIER = new Date(NOW.getTime() - DAYS).toISOString();

function onKey(version = NEW.version, change: Partial<Account> = {}): Account {
  const keyVaultProperties = {
    ...{ keyVaultUri: KEY.vault.uri, keyName: KEY.name, keyVersion: version },
    currentVersionedKeyIdentifier: `${KEY.id}/${version}`,
  };
  return account({ encryption: { keySource: 'Microsoft.Keyvault', keyVaultProperties }, ...change });
}

function row(change: Partial<UseRow> = {}): UseRow {
  const { id, location } = account();
  return {
    ...{ key: KEY.id, account: id, location, mode: 'pinned', pinned: NEW.version, current: NEW.version },
    ...{ readOn: EARLIER, at: EARLIER, state: 'done', attempts: 0 },
    ...change,
  };
}

const SCOPE = { name: 'scope1', keyUri: `${KEY.id}/${NEW.version}`, currentKeyId: NEW.id };

function indexOf(rows: readonly UseRow[] | Error): IndexRows {
  async function* of(): AsyncGenerator<UseRow> {
    if (rows instanceof Error) throw rows;
    yield* rows;
  }
  return new IndexRows(SUBSCRIPTION, { of });
}

describe('the index', () => {
  it('says why its rows cannot be read', async () => {
    const index = indexOf(new Error('table down'));
    expect(await index.blockOf(onKey(), KEY)).toBeUndefined();
    expect(index.failure).toContain('table down');
  });

  it('knows what blocks the move of an account', async () => {
    const blocked = { state: 'failed', reason: 'ScopeLocked' } as const;
    expect(await indexOf([row(blocked)]).blockOf(onKey(), KEY)).toBe('ScopeLocked');
    expect(await indexOf([row({ ...blocked, reason: 'KeyDisabled' })]).blockOf(onKey(), KEY)).toBeUndefined();
  });
});

describe('encryption scopes that are not listed', () => {
  it('are those of the index', async () => {
    expect(await indexOf([row(), row({ scope: 'scope1' })]).scopesOf(onKey(), KEY)).toEqual([SCOPE]);
    expect(await indexOf([row()]).scopesOf(onKey(), KEY)).toEqual([]);
  });
});
