import { describe, expect, it } from 'vitest';
import { changesOf, changesOfGone } from '../../src/accounts/fleet-entries.ts';
import { FleetScan } from '../../src/accounts/fleet-scan.ts';
import { DeadlineError } from '../../src/azure/deadline.ts';
import type { Account, Scope } from '../../src/fleet/account.ts';
import { createFleetIndex } from '../../src/fleet/create-fleet-index.ts';
import type { FleetChange, FleetUse } from '../../src/fleet/fleet-index.ts';
import { KEY, SUBSCRIPTION } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';

const NOW = new Date('2026-06-01T12:00:00.000Z');
const LATER = new Date('2026-06-01T13:00:00.000Z');
const NEXT_DAY = new Date('2026-06-02T13:00:00.000Z');
const ID = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1`;
const version = (n: number) => String(n).padStart(32, '0');

function account(
  pin: string | undefined,
  { key = KEY.name, ...more }: { key?: string } & Partial<Account> = {},
): Account {
  const keyVaultProperties = {
    keyVaultUri: KEY.vault.uri,
    keyName: key,
    ...(pin === undefined ? {} : { keyVersion: pin }),
    currentVersionedKeyIdentifier: `${KEY.vault.uri}/keys/${key}/${pin ?? version(1)}`,
  };
  return {
    ...{
      id: ID,
      subscriptionId: SUBSCRIPTION,
      resourceGroup: 'rg',
      type: 'Microsoft.Storage/storageAccounts',
      name: 'st1',
    },
    ...{ location: 'westeurope', tags: {}, userAssignedIdentities: [], principalIds: {}, systemPrincipalId: undefined },
    encryption: { keySource: 'Microsoft.Keyvault', keyVaultProperties },
    ...more,
  };
}
const scope = (name: string, pin = version(1)): Scope => ({
  name,
  enabled: true,
  keyUri: `${KEY.id}/${pin}`,
  currentKeyId: undefined,
});

/** The index after looks at one account, and how many rows each of them wrote. */
async function indexAfter(...looks: [Account | 'gone', readonly Scope[] | undefined, Date][]) {
  const table = new MemoryFleetTable();
  const index = createFleetIndex(table.port());
  const written: number[] = [];
  for (const [seen, scopes, now] of looks) {
    const known = await index.account(ID);
    const changes: FleetChange[] =
      seen !== 'gone' ? changesOf({ account: seen, scopes }, known, now) : known ? changesOfGone(known) : [];
    await index.write(changes);
    written.push(changes.length);
  }
  const uses: FleetUse[] = [];
  for await (const use of index.uses(KEY.id)) uses.push(use);
  let unasked = 0;
  for await (const _ of index.unasked()) unasked += 1;
  return { uses, unasked, written, rows: table.all.length, known: await index.account(ID) };
}

describe('what a look at an account changes in the index', () => {
  it('is nothing where it is as it was, until a day is over', async () => {
    const same = account(version(1));
    const { written } = await indexAfter(
      [same, [], NOW],
      [same, [], LATER],
      [same, undefined, LATER],
      [same, [], NEXT_DAY],
    );
    expect(written).toEqual([3, 0, 0, 2]);
  });

  it('is all of it where it is on record to have been written at a time that is still to come', async () => {
    const same = account(version(1));
    expect((await indexAfter([same, [], NEXT_DAY], [same, [], NOW])).written).toEqual([3, 2]);
  });

  it('is its use, with what is told of it', async () => {
    const identity = '/subscriptions/x/id-storage';
    const { encryption, ...rest } = account(version(2), { tags: { 'CMK-wave': '2', other: 'x' } });
    const withIdentity = { ...encryption, encryptionIdentity: { encryptionUserAssignedIdentity: identity } };
    const { uses } = await indexAfter([{ ...rest, encryption: withIdentity }, undefined, NOW]);
    expect(uses).toEqual([
      {
        ...{ key: KEY.id, account: ID, location: 'westeurope', mode: 'pinned' },
        ...{ pinned: version(2), current: version(2), identity, wave: '2', readOn: NOW.toISOString() },
      },
    ]);
  });

  it('follows a move, a change of mode, and another key', async () => {
    const moved = await indexAfter([account(version(1)), [], NOW], [account(version(2)), undefined, LATER]);
    expect(moved.uses).toMatchObject([{ pinned: version(2), scopes: 'none', readOn: LATER.toISOString() }]);
    const automatic = await indexAfter([account(version(1)), [], NOW], [account(''), [], LATER]);
    expect(automatic.uses.map(({ mode, pinned }) => [mode, pinned])).toEqual([['automatic', undefined]]);
    const other = await indexAfter([account(version(1)), [], NOW], [account(version(1), { key: 'other' }), [], LATER]);
    expect(other).toMatchObject({ uses: [], rows: 2 });
    const { encryption: _, ...rest } = account(version(1));
    const microsoft = { ...rest, encryption: { keySource: 'Microsoft.Storage' } };
    expect(await indexAfter([account(version(1)), [], NOW], [microsoft, [], LATER])).toMatchObject({
      uses: [],
      rows: 1,
    });
  });

  it('keeps scopes that were not asked for, and drops those that are gone', async () => {
    const both = [scope('a'), scope('b')];
    const kept = await indexAfter([account(version(1)), both, NOW], [account(version(2)), undefined, LATER]);
    expect(kept.uses.map((use) => use.scope)).toEqual([undefined, 'a', 'b']);
    expect(kept.uses[0]?.scopes).toBe('some');
    const one = await indexAfter(
      [account(version(1)), both, NOW],
      [account(version(1)), [scope('b', version(2))], LATER],
    );
    expect(one.uses.map((use) => [use.scope, use.pinned])).toEqual([
      [undefined, version(1)],
      ['b', version(2)],
    ]);
    const none = await indexAfter([account(version(1)), both, NOW], [account(version(1)), [], LATER]);
    expect(none.uses).toMatchObject([{ scopes: 'none' }]);
  });

  it('tells who was never asked for scopes, once a day', async () => {
    const never = account(version(1));
    expect(await indexAfter([never, undefined, NOW], [never, undefined, LATER])).toMatchObject({
      unasked: 1,
      written: [3, 0],
    });
    expect(await indexAfter([never, undefined, NOW], [never, [], LATER])).toMatchObject({ unasked: 0, rows: 2 });
    // By then that row may be lost, or spoilt.
    expect((await indexAfter([never, undefined, NOW], [never, undefined, NEXT_DAY])).written).toEqual([3, 3]);
  });

  it('has an account asked for its scopes that are known, where the index is not to be trusted', async () => {
    const seen = (scopes?: readonly Scope[]) => ({ account: account(version(1)), scopes });
    const index = createFleetIndex(new MemoryFleetTable().port());
    await index.write(changesOf(seen([scope('a')]), undefined, NOW));
    const known = await index.account(ID);
    expect(changesOf(seen(), known, LATER, true)).toContainEqual(expect.objectContaining({ put: 'unasked' }));
    expect(changesOf(seen([scope('a')]), known, LATER, true)).toContainEqual({ drop: 'unasked', account: ID });
    await index.write(changesOf(seen([]), known, LATER));
    const without = await index.account(ID);
    expect(changesOf(seen(), without, LATER, true)).toContainEqual({ drop: 'unasked', account: ID });
  });

  it('leaves nothing of an account that is gone', async () => {
    expect(await indexAfter([account(version(1)), [scope('a')], NOW], ['gone', undefined, LATER])).toMatchObject({
      rows: 0,
    });
    expect(await indexAfter([account(version(1)), undefined, NOW], ['gone', undefined, LATER])).toMatchObject({
      rows: 0,
    });
  });

  it('is no use where the key has a name that no key has', async () => {
    expect(await indexAfter([account('', { key: 'no key/at all' }), [], NOW])).toMatchObject({ rows: 1 });
  });

  it('keeps a version that is none as it was written', async () => {
    const { uses } = await indexAfter([account('not-a-version'), [], NOW]);
    expect(uses).toMatchObject([{ pinned: 'not-a-version' }]);
  });
});

describe('what a list of a subscription shows', () => {
  const REFUSED = Object.assign(new Error('busy'), { statusCode: 503 });
  const HANGS = new DeadlineError('The table service did not answer', 3_000);

  /** How far an account is known after a list of which the first writes failed so, and how long it paused. */
  async function afterTrouble(...troubles: Error[]) {
    const index = createFleetIndex(
      new MemoryFleetTable().port(async (_, effect, writes) => {
        const trouble = writes ? troubles.shift() : undefined;
        if (trouble) throw trouble;
        return effect();
      }),
    );
    const pauses: number[] = [];
    const sleep = async (ms: number): Promise<void> => void pauses.push(ms);
    const scan = new FleetScan(SUBSCRIPTION, { fleet: index, now: () => NOW, sleep });
    await scan.saw({ account: account(version(1)), scopes: [] });
    await scan.end(true);
    const { failure, listedOn } = scan;
    return { failure: failure?.error, listedOn, known: await index.account(ID), pauses };
  }

  it.each([
    ['refused', REFUSED],
    ['not answered in time', HANGS],
  ])('is written down though a write of it is %s', async (_, trouble) => {
    expect(await afterTrouble(trouble)).toMatchObject({
      failure: undefined,
      listedOn: NOW,
      known: { account: ID },
      pauses: [200],
    });
  });

  it('is left to the next one where that fails again', async () => {
    expect(await afterTrouble(REFUSED, REFUSED)).toMatchObject({
      failure: REFUSED,
      listedOn: undefined,
      known: undefined,
      pauses: [200],
    });
  });

  it('is not asked to be written again where it is no matter of time', async () => {
    const denied = Object.assign(new Error('denied'), { statusCode: 403 });
    expect(await afterTrouble(denied)).toMatchObject({ failure: denied, listedOn: undefined, pauses: [] });
  });
});
