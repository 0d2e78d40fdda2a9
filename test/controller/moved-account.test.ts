import { describe, expect, it } from 'vitest';
import { formatAccountRow, formatSubscriptionPartition } from '../../src/index/fleet-keys.ts';
import { toUseRow } from '../../src/index/use-row.ts';
import { KEY, SUBSCRIPTION } from '../support/keys.ts';
import { account, Fleet, idOf } from './fleet.ts';
import { MINUTE, nameOf, Region, versionOf } from './region.ts';

const SECOND = versionOf(KEY.id, 2).id;
const THIRD = versionOf(KEY.id, 3).id;
const MOVED = nameOf(0);

const accountsIn = (fleet: Fleet): readonly string[] => [
  ...new Set(fleet.table.all.flatMap((row) => toUseRow(row)?.account ?? [])),
];

describe('An account that was moved to another resource group', () => {
  it('moves to a new version of its key, with its scopes, within five minutes', async () => {
    const region = await Region.indexed(3, (one) => one.addScopes(2));

    region.move(MOVED, 'rg-new');
    region.rotate();

    await region.until(() => region.on(SECOND) === 5, 5 * MINUTE);

    expect(region.on(SECOND)).toBe(5);
    expect(accountsIn(region)).toContain(idOf(MOVED, 'rg-new'));
    expect(accountsIn(region)).toHaveLength(3);
  });

  it('stays in the index if its version changed before the list', async () => {
    const fleet = await Fleet.listed(account('st1'), account('st2'));

    fleet.add(account('st1', { version: 2 }));
    fleet.move('st1', 'rg-new');
    await fleet.pass('list');

    expect(fleet.uses()).toEqual(['st1 own', 'st2 own']);
    expect(accountsIn(fleet)).toContain(idOf('st1', 'rg-new'));
  });

  it('stays in the index after an event about its former id', async () => {
    const fleet = await Fleet.listed(account('st1'), account('st2'));

    fleet.move('st1', 'rg-new');
    await fleet.pass('account', idOf('st1'));

    expect(fleet.uses()).toEqual(['st1 own', 'st2 own']);
    expect(accountsIn(fleet)).toContain(idOf('st1', 'rg-new'));
  });

  it('keeps the rotation unfinished until it is on the new version', async () => {
    const region = await Region.indexed(2);

    region.move(MOVED, 'rg-new');
    region.rotate();
    await region.until(() => {
      const row = region.rollouts.all[0]?.[1];
      return row?.target === SECOND && row.unfinished === 0;
    }, 10 * MINUTE);

    expect(region.on(SECOND)).toBe(2);

    region.rotate();
    await region.until(() => region.on(THIRD) === 2, MINUTE);

    expect(region.on(THIRD)).toBe(2);
  });
});

describe('A deleted account', () => {
  it('leaves the index although a list still shows it', async () => {
    const region = await Region.indexed(2, (one) => one.addScopes(1));
    const isListed = () => accountsIn(region).includes(idOf(MOVED));

    region.outdatedList = [...region.accounts.values()];
    region.accounts.delete(MOVED);
    region.rotate();
    await region.until(() => !isListed(), 5 * MINUTE);

    expect(isListed()).toBe(false);
    expect(region.on(SECOND)).toBe(1);
  });

  it('leaves the index although its account row was never written', async () => {
    const region = await Region.indexed(1, (one) => one.addScopes(1));
    const isKnown = () => accountsIn(region).includes(idOf(MOVED));

    region.table.apply({
      partitionKey: formatSubscriptionPartition(SUBSCRIPTION),
      rowKey: formatAccountRow(idOf(MOVED)),
    });
    region.accounts.delete(MOVED);
    region.rotate();
    await region.until(() => !isKnown(), 5 * MINUTE);

    expect(isKnown()).toBe(false);
  });
});
