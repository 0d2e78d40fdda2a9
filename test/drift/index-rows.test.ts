import { describe, expect, it } from 'vitest';
import { IndexRows } from '../../src/drift/gather/index-rows.ts';
import { indexWork } from '../../src/drift/put-work.ts';
import type { Account } from '../../src/fleet/account.ts';
import type { UseRow } from '../../src/fleet/use-row.ts';
import { account, DAYS, KEY, NEW, NOW, OLD } from './checks/subjects.ts';

const SUBSCRIPTION = account().subscriptionId;
const MOVED = account().id.replace('rg-files', 'rg-other');
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
  return new IndexRows(SUBSCRIPTION, { of }, NOW);
}

/** What the index lacks when these accounts are listed. */
async function compared(rows: readonly UseRow[] | Error, listed: readonly Account[], isWhole = true) {
  const index = indexOf(rows);
  for (const one of listed) await index.compareAccount(one, KEY);
  return index.result(isWhole);
}

const SAME = { list: false, keys: [] };
const OTHER = { list: true, keys: [] };

describe('the index differs from a list of the accounts', () => {
  it.each([
    ['not where it has the same', [row()], [onKey()], SAME],
    ['where an account is missing', [], [onKey()], OTHER],
    ['where an account is on another version', [row({ pinned: OLD.version, current: OLD.version })], [onKey()], OTHER],
    [
      'where an account has become automatic',
      [row({ mode: 'automatic', pinned: undefined } as never)],
      [onKey()],
      OTHER,
    ],
    ['where an account is in another wave', [row()], [onKey(NEW.version, { tags: { 'cmk-wave': '2' } })], OTHER],
    ['where an account is in another resource group', [row({ account: MOVED })], [onKey()], OTHER],
    ['where an account is gone', [row(), row({ account: `${account().id}9` })], [onKey()], OTHER],
    [
      'not where a row is newer than the list',
      [row({ at: '2026-06-01T12:00:01.000Z', current: OLD.version })],
      [onKey()],
      SAME,
    ],
  ])('%s', async (_, rows, listed, difference) => {
    expect(await compared(rows, listed)).toEqual(difference);
  });

  it('not where the list broke off before an account, or rows cannot be read', async () => {
    expect(await compared([row(), row({ account: `${account().id}9` })], [onKey()], false)).toEqual(SAME);
    expect(await compared(new Error('table down'), [onKey()])).toMatchObject({ ...SAME, unread: expect.any(String) });
  });

  it('where an encryption scope that it has is on another version', async () => {
    const scope = row({ scope: 'scope1', pinned: OLD.version, current: OLD.version });
    const index = indexOf([row(), scope]);
    await index.compareAccount(onKey(), KEY);
    await index.compareScope(onKey(), SCOPE, KEY);
    expect(await index.result(true)).toEqual({ list: false, keys: [KEY.id] });
  });
});

describe('encryption scopes that are not listed', () => {
  it('are those of the index', async () => {
    expect(await indexOf([row(), row({ scope: 'scope1' })]).scopesOf(onKey(), KEY)).toEqual([SCOPE]);
    expect(await indexOf([row()]).scopesOf(onKey(), KEY)).toEqual([]);
  });
});

describe('the worker of a subscription', () => {
  const listed = (hours: number) => new Map([[SUBSCRIPTION, new Date(NOW.getTime() - hours * 3_600_000)]]);
  const work = (index: typeof SAME | { list: boolean; keys: string[] }, hours: number) =>
    indexWork([{ id: SUBSCRIPTION.toUpperCase(), index }], listed(hours), NOW);

  it('lists its accounts where the index differs, and once a day', () => {
    const list = { subscription: SUBSCRIPTION, kind: 'list', about: '' };
    expect(work(SAME, 23)).toEqual([]);
    expect(work(OTHER, 23)).toEqual([list]);
    expect(work(SAME, 25)).toEqual([list]);
  });

  it('reads every use of a key whose encryption scopes differ', () => {
    const fresh = { subscription: SUBSCRIPTION, kind: 'key', about: KEY.id, fresh: true };
    expect(work({ list: false, keys: [KEY.id] }, 1)).toEqual([fresh]);
  });
});
