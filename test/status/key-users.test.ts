import { describe, expect, it } from 'vitest';
import type { UseRow } from '../../src/index/use-row.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { type KeyUsersPorts, readKeyUsers } from '../../src/status/key-users.ts';
import { listVersionViews } from '../../src/status/version-views.ts';
import { day, KEY, keyVersion, REVOKER, SUBSCRIPTION, versionName } from '../support/keys.ts';
import { AUTOMATIC, accountId, NOW, OLD, useRow, viewPorts } from './use-rows.ts';

const VERSIONS = [keyVersion(1), keyVersion(100)];

function ports(
  uses: readonly UseRow[],
  subscriptions: readonly string[] | undefined = undefined,
  listed: readonly string[] = [SUBSCRIPTION],
): KeyUsersPorts {
  return {
    ...viewPorts(uses),
    inSight: async () => subscriptions,
    fleet: { async *accounts() {}, listings: async () => new Map(listed.map((id) => [id, NOW])) },
  };
}

const read = (
  uses: readonly UseRow[],
  versions: readonly KeyVersion[] = VERSIONS,
  signal = new AbortController().signal,
) => readKeyUsers(KEY, versions, ports(uses), signal);

describe('readKeyUsers', () => {
  it('readKeyUsers counts uses by version, the version with the most users first', async () => {
    const uses = [
      useRow(1),
      useRow(2, { ...OLD, readOn: day(190).toISOString() }),
      useRow(3, OLD),
      useRow(4, { ...OLD, scope: 'scope1' }),
      // Storage does not say which version an automatic one uses.
      { ...useRow(5, AUTOMATIC), current: undefined, state: 'pending' } as unknown as UseRow,
    ];

    const { users, rotation } = await read(uses);
    expect(users).toEqual({
      accounts: 4,
      scopes: 1,
      versions: [
        { version: versionName(1), accounts: 2, scopes: 1, first: ['st2', 'st3', 'st4/scope1'] },
        { version: versionName(100), accounts: 1, scopes: 0, first: ['st1'] },
        { accounts: 1, scopes: 0, first: ['st5'] },
      ],
      lagging: 4,
      complete: true,
      oldest: day(190).toISOString(),
    });

    expect(rotation).toMatchObject({ state: 'underWay', startedOn: day(100).toISOString() });
  });

  it('readKeyUsers counts the uses of a revoked key, and none of them as lagging', async () => {
    const record = { ...REVOKER, revokedOn: day(150), version: versionName(100), wasEnabled: true };
    const tags = { [REVOCATION_TAG]: formatRevocation(record) };
    const revoked = [keyVersion(1), keyVersion(100, { enabled: false, tags })];
    const { users, rotation, cost } = await read([useRow(1, OLD)], revoked);

    expect(users).toMatchObject({ accounts: 1, complete: true });
    expect(users?.lagging).toBeUndefined();
    expect(rotation).toEqual({ key: KEY.id, state: 'blocked', reason: 'RevocationOpen' });
    expect(cost).toBeUndefined();

    expect(listVersionViews(revoked, users, NOW)[0]).toMatchObject({
      activeFrom: day(100).toISOString(),
      enabled: false,
      revokedOn: day(150).toISOString(),
      revokedBy: REVOKER.revokedBy,
      users: { accounts: 0, scopes: 0 },
    });
  });

  it('readKeyUsers returns the counts so far when time is up, without a rotation', async () => {
    const { users, rotation, cost } = await read([useRow(1)], VERSIONS, AbortSignal.abort());
    expect(users).toEqual({ accounts: 0, scopes: 0, versions: [], complete: false });
    expect([rotation, cost]).toEqual([undefined, undefined]);
  });

  it('readKeyUsers counts at most 20,000 uses', async () => {
    const many = Array.from({ length: 20_001 }, (_, n) => useRow(n));
    const { users, unread } = await read(many);
    expect(users).toMatchObject({ accounts: 20_000, complete: false });
    expect(unread).toMatchObject([{ detail: expect.stringContaining('more than 20,000 uses') }]);
    const whole = await read(many.slice(1));
    expect(whole).toMatchObject({ unread: [], users: { accounts: 20_000, complete: true, lagging: 0 } });
  });
});

describe('The time as of which the index knows the users of a key', () => {
  const readOn = day(190).toISOString();
  const asOf = async (uses: readonly UseRow[]) => (await read(uses)).asOf;

  it('The users of a key are known as of the last list for an account, whose unchanged row is older', async () => {
    expect(await asOf([useRow(1, { readOn })])).toBe(NOW.toISOString());
  });

  it('The users of a key are known as of the read of an encryption scope, which no list of accounts shows', async () => {
    expect(await asOf([useRow(1), useRow(1, { scope: 'scope1', readOn })])).toBe(readOn);
  });

  it('The users of a key are known as of the read of an account in a subscription that was never listed', async () => {
    const elsewhere = accountId(1, '99999999-9999-4999-8999-999999999999');
    expect(await asOf([useRow(1, { account: elsewhere, readOn })])).toBe(readOn);
  });
});

describe('readKeyUsers while subscriptions are not listed', () => {
  const other = '99999999-9999-4999-8999-999999999999';
  const readBy = (uses: readonly UseRow[], inSight: readonly string[] | undefined, listed: readonly string[]) =>
    readKeyUsers(KEY, VERSIONS, ports(uses, inSight, listed), new AbortController().signal);

  it('readKeyUsers returns no users while subscriptions are not listed and the index has none', async () => {
    const read = await readBy([], [SUBSCRIPTION, other], [SUBSCRIPTION]);
    const unread = [expect.objectContaining({ reason: 'FleetNotListed' })];
    const asOf = NOW.toISOString();
    expect(read).toEqual({ unread, asOf, users: undefined, rotation: undefined, cost: undefined });
    expect(await readBy([], undefined, [])).toMatchObject({ unread, users: undefined });
  });

  it('readKeyUsers returns the users of the index as incomplete while subscriptions are not listed', async () => {
    const { users, rotation, cost } = await readBy([useRow(1, OLD)], [SUBSCRIPTION, other], [SUBSCRIPTION]);
    expect([users?.accounts, users?.complete, rotation, cost]).toEqual([1, false, undefined, undefined]);
  });

  it('readKeyUsers returns zero users once all subscriptions are listed', async () => {
    const { users, unread } = await readBy([], [SUBSCRIPTION, other], [SUBSCRIPTION, other]);
    expect([users?.accounts, users?.complete, unread]).toEqual([0, true, []]);
    expect(await readBy([], undefined, [SUBSCRIPTION])).toMatchObject({ unread: [], users: { accounts: 0 } });
  });
});

describe('The cost of a rotation', () => {
  it('The cost of a rotation excludes uses in subscriptions that are not managed, which are users all the same', async () => {
    const elsewhere = accountId(1).replace(SUBSCRIPTION, '99999999-9999-4999-8999-999999999999');
    const uses = [useRow(1, OLD), useRow(1, { ...OLD, account: elsewhere })];
    const { signal } = new AbortController();
    const { cost, users } = await readKeyUsers(KEY, VERSIONS, ports(uses, [SUBSCRIPTION]), signal);
    expect([cost?.moves, users?.accounts, users?.lagging]).toEqual([1, 2, 1]);
  });
});
