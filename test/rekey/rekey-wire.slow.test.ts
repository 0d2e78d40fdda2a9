import { TableClient } from '@azure/data-tables';
import { describe, expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { allowStorage } from '../../local/azure/fleet.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { lookAtKey } from '../../src/accounts/reconcile-key.ts';
import { REKEY_TABLE } from '../../src/fleet/rekey-store-client.ts';
import { rekeyPorts } from '../../src/functions/rekey-ports.ts';
import { checkRekey } from '../../src/rekey/check-rekey.ts';
import { progressOf } from '../../src/rekey/progress.ts';
import { TestKey } from '../support/fleet.ts';
import { forgetFleet, useWire } from '../support/wire.ts';
import { RekeyOrders } from './rekey-orders.ts';

const wire = useWire();
const HTTP = { allowInsecureConnection: true };

const use = ({ encryption }: StorageAccount) => encryption.keyvaultproperties;
const scopesOf = ({ encryptionScopes }: StorageAccount) =>
  [...encryptionScopes.values()].map(({ keyVaultProperties }) => keyVaultProperties?.keyUri);

describe('a re-key over the wire', () => {
  it('moves accounts and scopes, each in its mode, and takes back what it has moved and nothing else', async () => {
    const orders = new RekeyOrders(wire);
    const { services } = orders;
    const [a, b, third] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world), new TestKey(wire.azure.world)];
    const [pinned, automatic] = [a.account('pinned'), a.account('automaticEmpty')];
    const byScope = third.account('pinned', {
      scopes: [
        { name: 'one', key: a.use('pinned') },
        { name: 'two', key: a.use('automatic') },
      ],
    });
    const [already, wandering] = [b.account('pinned'), a.account('pinned')];
    const before = await wire.raw(pinned.id);
    const id = await orders.start(a, b);
    await orders.carryOut();

    expect((await services.rekeys.order(id))?.state).toBe('done');
    expect(use(pinned)).toMatchObject({ keyname: b.name, keyversion: b.first.version });
    expect(use(automatic)).toMatchObject({ keyname: b.name, keyversion: '' });
    expect(use(byScope)).toMatchObject({ keyname: third.name });
    expect(scopesOf(byScope)).toEqual([b.id(b.first), b.id()]);
    expect(await progressOf(await orders.order(id), services)).toMatchObject({
      ...{ moved: 5, failed: 0, waiting: 0 },
    });
    const others = ({ properties }: Record<string, unknown>) => {
      const { keyvaultproperties: _, ...rest } = (properties as { encryption: Record<string, unknown> }).encryption;
      return rest;
    };
    expect(others(await wire.raw(pinned.id))).toEqual(others(before));

    Object.assign(use(wandering) ?? {}, { keyname: third.name, keyversion: third.first.version });
    await orders.change(id, 'takeBack');
    await orders.carryOut();
    expect((await services.rekeys.order(id))?.state).toBe('takenBack');
    expect(use(pinned)).toMatchObject({ keyname: a.name, keyversion: a.first.version });
    expect(use(automatic)).toMatchObject({ keyname: a.name, keyversion: '' });
    expect(scopesOf(byScope)).toEqual([a.id(a.first), a.id()]);
    expect(use(already)).toMatchObject({ keyname: b.name });
    expect(use(wandering)).toMatchObject({ keyname: third.name });
  });

  it('stops when an account cannot be moved, and goes on when that is mended', async () => {
    const orders = new RekeyOrders(wire);
    const { services } = orders;
    const [a, b] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world, 'kv-records')];
    // Its own identity has its role on the one vault alone.
    const account = a.account('pinned', { identity: undefined as never });
    const ports = { ...services, searched: () => services.subscriptions.list() };
    const check = await checkRekey(orders.managed(a), orders.managed(b), ports);
    expect(check).toMatchObject({ accounts: 1, problems: [{ reason: 'IdentityWithoutRole' }] });
    const id = await orders.start(a, b, { maxFailures: 1 });
    await orders.carryOut();
    expect(await services.rekeys.order(id)).toMatchObject({ state: 'moving', paused: { why: expect.any(String) } });
    const [stopped] = (await services.rekeys.orders()).filter((one) => one.id === id);
    expect(stopped && (await progressOf(stopped, services)).failures).toMatchObject([
      { reason: 'IdentityHasNoAccess' },
    ]);
    expect(use(account)).toMatchObject({ keyname: a.name });

    for (const principal of check.withoutRole) allowStorage(wire.azure.world, b.vault, principal);
    await orders.change(id, 'resume');
    await orders.carryOut();
    expect((await services.rekeys.order(id))?.state).toBe('done');
    expect(use(account)).toMatchObject({ keyname: b.name });
  });

  it('says before it begins what will stay on the old key, as the app does not look there', async () => {
    const [a, b] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world)];
    a.account('pinned');
    await lookAtKey(a.keyWork(), new RekeyOrders(wire).services, wire.log);
    const orders = new RekeyOrders(wire, { CMK_SUBSCRIPTIONS: SECOND_SUBSCRIPTION_ID });
    const { check } = rekeyPorts(orders.services);
    expect(await check(orders.managed(a), orders.managed(b))).toEqual({
      ...{ accounts: 0, problems: [], withoutRole: [] },
      warnings: [expect.stringContaining(`uses the old key in subscription ${SUBSCRIPTION_ID}`)],
    });
  });

  it('says which scope could not be moved, also where another one was after it', async () => {
    const orders = new RekeyOrders(wire);
    const [a, b, own] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world), new TestKey(wire.azure.world)];
    const scopes = ['one', 'two'].map((name) => ({ name, key: a.use() }));
    const account = own.account('pinned', { scopes });
    const answer = { status: 400, body: { error: { code: 'FeatureNotSupportedForAccount', message: 'no' } } };
    wire.azure.faults.add([{ match: { method: 'PATCH', path: `${account.name}/encryptionScopes/one` }, answer }]);
    const id = await orders.start(a, b);
    await orders.carryOut();
    wire.azure.faults.clear();
    expect(scopesOf(account)).toEqual([a.id(a.first), b.id(b.first)]);
    expect(await progressOf(await orders.order(id), orders.services)).toMatchObject({
      ...{ moved: 1, waiting: 0, failed: 1, failures: [{ scope: 'one', reason: 'Refused' }] },
    });
  });

  it('finds whom the index has lost, and lets one order have a key at a time', async () => {
    const orders = new RekeyOrders(wire);
    const { services } = orders;
    const [a, b, c] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world), new TestKey(wire.azure.world)];
    const account = a.account('pinned');
    const id = await orders.start(a, b);
    await expect(orders.start(b, c)).rejects.toMatchObject({ reason: 'RekeyConflict' });
    await expect(orders.start(c, a)).rejects.toMatchObject({ reason: 'RekeyConflict' });
    await forgetFleet(wire.connectionString);
    await orders.carryOut();
    expect((await services.rekeys.order(id))?.state).toBe('done');
    expect(use(account)).toMatchObject({ keyname: b.name });
    await expect(orders.change(id, 'pause')).rejects.toMatchObject({ reason: 'RekeyNotPossible' });
    await expect(orders.change('nobody', 'pause')).rejects.toMatchObject({ reason: 'RekeyNotFound' });
  });

  it('lets one of many that come at the same moment have a key, and the next one when that has ended', async () => {
    const orders = new RekeyOrders(wire);
    const [a, b, c] = [new TestKey(wire.azure.world), new TestKey(wire.azure.world), new TestKey(wire.azure.world)];
    const reasonsOf = (all: readonly PromiseSettledResult<unknown>[]) =>
      all.map((one) => (one.status === 'rejected' ? one.reason.reason : 'stands')).sort();
    // They make it, as the first order of all does.
    await TableClient.fromConnectionString(wire.connectionString, REKEY_TABLE, HTTP).deleteTable();
    const pairs = [
      [a, b],
      [b, c],
      [c, a],
      [a, c],
      [a, b],
    ] as const;
    const started = await Promise.allSettled(pairs.map(([from, to]) => orders.start(from, to)));
    expect(reasonsOf(started)).toEqual([...Array(4).fill('RekeyConflict'), 'stands']);
    const id = started.find((one) => one.status === 'fulfilled')?.value ?? '';
    await orders.carryOut();
    expect((await orders.order(id)).state).toBe('done');
    const again = await Promise.allSettled([
      orders.change(id, 'takeBack'),
      ...pairs.map(([from, to]) => orders.start(from, to)),
    ]);
    expect(reasonsOf(again)).toEqual([...Array(5).fill('RekeyConflict'), 'stands']);
  });

  it('tells two changes at the same moment apart, and records each that was made', async () => {
    const orders = new RekeyOrders(wire);
    const id = await orders.start(new TestKey(wire.azure.world), new TestKey(wire.azure.world));
    const paused = await Promise.allSettled(Array.from({ length: 4 }, () => orders.change(id, 'pause')));
    expect(paused.filter(({ status }) => status === 'fulfilled').length).toBe(1);
    expect(await orders.order(id)).not.toHaveProperty('unrecorded');
  });
});
