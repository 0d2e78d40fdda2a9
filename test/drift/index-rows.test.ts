import { describe, expect, it } from 'vitest';
import { IndexRows } from '../../src/drift/gather/index-rows.ts';
import { indexWork } from '../../src/drift/put-work.ts';
import type { Account } from '../../src/fleet/account.ts';
import type { UseRow } from '../../src/fleet/use-row.ts';
import { account, DAYS, KEY, NEW, NOW, OLD } from './checks/subjects.ts';

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

describe('the index differs from a list of the accounts', () => {
  it('where an encryption scope that it has is on another version', async () => {
    const scope = row({ scope: 'scope1', pinned: OLD.version, current: OLD.version });
    const index = indexOf([row(), scope]);
    await index.compareScope(onKey(), SCOPE, KEY);
    expect(index.result()).toEqual({ keys: [KEY.id] });
    const same = indexOf([row({ scope: 'scope1' })]);
    await same.compareScope(onKey(), SCOPE, KEY);
    expect(same.result()).toEqual({ keys: [] });
  });

  it('not where its rows cannot be read', async () => {
    const index = indexOf(new Error('table down'));
    expect(await index.blockOf(onKey(), KEY)).toBeUndefined();
    expect(index.result()).toMatchObject({ keys: [], unread: expect.stringContaining('table down') });
  });

  it('and knows what blocks the move of an account', async () => {
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

describe('the worker of a subscription', () => {
  it('lists its accounts, and reads every use of a key whose encryption scopes differ', () => {
    const subscription = SUBSCRIPTION;
    expect(indexWork([{ id: SUBSCRIPTION.toUpperCase(), index: { keys: [KEY.id] } }])).toEqual([
      { subscription, kind: 'list', about: '' },
      { subscription, kind: 'key', about: KEY.id, fresh: true },
    ]);
  });
});
