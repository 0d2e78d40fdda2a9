import { describe, expect, it } from 'vitest';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { KEY, VAULT } from '../support/keys.ts';
import { account, Fleet, OTHER, scopeOf } from './fleet.ts';
import { HOUR, MINUTE, nameOf, Region, versionOf } from './region.ts';

const FILES = 'Files-Key';
const UPPER = 'FILES-KEY';
const SECOND = versionOf(KEY.id, 2).id;

describe('The index', () => {
  const countsOf = async (fleet: Fleet): Promise<readonly number[]> => {
    const counts: number[] = [];
    for (let list = 0; list < 4; list += 1) {
      await fleet.pass('list');
      fleet.clock += 3_600_000;
      counts.push(fleet.uses().length);
    }
    return counts;
  };

  it('The index keeps every account of a key whose name the accounts spell in two ways', async () => {
    const fleet = new Fleet();
    fleet.add(account('st1'), account('st2'), account('st3'), account('st4', { keyName: FILES }));
    expect(await countsOf(fleet)).toEqual([4, 4, 4, 4]);
  });

  it('The index keeps the uses of an account whose scope spells the name otherwise', async () => {
    const fleet = new Fleet();
    fleet.add(account('st1'), account('st2'));
    fleet.scopes.set('st1', [scopeOf(VAULT.uri, { keyName: FILES })]);
    expect(await countsOf(fleet)).toEqual([3, 3, 3, 3]);
  });
});

it('A rotation moves and records an account whatever its spelling of the key, also as the canary', async () => {
  const region = await Region.indexed(3, (one) => one.add(account(nameOf(0), { keyName: UPPER })));

  region.canaries = 1;
  region.rotate();

  const onSecond = () =>
    [...region.accounts.values()].filter(
      ({ encryption }) => encryption.keyVaultProperties?.currentVersionedKeyIdentifier?.toLowerCase() === SECOND,
    );

  await region.until(() => onSecond().length === 3 && region.rollouts.all[0]?.[1].unfinished === 0, HOUR);

  expect(onSecond()).toHaveLength(3);

  // Three moves, and the end of the rotation.
  expect(region.recorded.size).toBe(4);
  expect(region.logs.map(({ reason }) => reason)).not.toContain('NotProven');
});

it('A re-key onto a key that the operator spells otherwise records each move, and is done', async () => {
  const region = await Region.indexed(3, (one) => one.add(account(nameOf(3), { keyName: 'other-key' })));
  const to = createManagedKey(VAULT, 'Other-Key').id;

  region.rekey(to);
  await region.until(() => region.orders.orders.rekeys[0]?.state === 'done', 3 * HOUR);

  expect(region.orders.orders.rekeys[0]).toMatchObject({ state: 'done', to: OTHER });

  const moves = region.logs.filter(({ reason }) => reason === 'Rekeyed');
  expect(moves).toHaveLength(3);

  region.want('list');
  await region.until(() => false, 30 * MINUTE);

  expect(region.uses()).toHaveLength(4);
});
