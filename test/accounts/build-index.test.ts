import { expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { buildIndex } from '../../src/accounts/build-index.ts';
import type { FleetUse } from '../../src/fleet/fleet-index.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const LISTS = /\/providers\/Microsoft\.Storage\/storageAccounts\?/;
const signal = new AbortController().signal;

/** How often the accounts of a subscription were listed since. */
const listsSince = (since: number): number => wire.arm(since, LISTS).length;

it('an index that has listed nothing is built, by one of the instances that start at once', async () => {
  const key = new TestKey(wire.azure.world);
  const account = key.account();
  const since = wire.azure.requests.last;
  const instances = [wire.services(), wire.services(), wire.services()];
  await Promise.all(instances.map((services) => buildIndex(services, wire.log, signal)));
  expect(listsSince(since)).toBe(2);
  const { fleet } = wire.services();
  expect([...(await fleet.listings()).keys()].sort()).toEqual([SUBSCRIPTION_ID, SECOND_SUBSCRIPTION_ID].sort());
  const uses: FleetUse[] = [];
  for await (const use of fleet.uses(key.id())) uses.push(use);
  expect(uses).toMatchObject([{ account: account.id, pinned: key.first.version }]);
});

it('an index that has listed something is left to the drift check', async () => {
  const services = wire.services();
  await services.fleet.listed(SUBSCRIPTION_ID, new Date());
  const since = wire.azure.requests.last;
  await buildIndex(services, wire.log, signal);
  expect(wire.arm(since)).toEqual([]);
});

it('a subscription that cannot be listed keeps no other one from the index, and is told', async () => {
  const path = `/subscriptions/${SECOND_SUBSCRIPTION_ID}/providers/Microsoft\\.Storage/storageAccounts\\?`;
  const body = { error: { code: 'AuthorizationFailed', message: 'no' } };
  wire.azure.faults.add([{ match: { path }, answer: { status: 403, body } }]);
  const services = wire.services();
  await buildIndex(services, wire.log, signal);
  expect([...(await services.fleet.listings()).keys()]).toEqual([SUBSCRIPTION_ID]);
  expect(wire.records).toMatchObject([
    { level: 'warning', reason: 'SubscriptionUnreadable', subscription: SECOND_SUBSCRIPTION_ID },
  ]);
});

it('an index that cannot be read is told, and nothing is listed', async () => {
  const services = wire.services();
  const listings = () =>
    Promise.reject(Object.assign(new Error('no'), { statusCode: 403, code: 'AuthorizationFailure' }));
  const since = wire.azure.requests.last;
  await buildIndex({ ...services, fleet: { ...services.fleet, listings } }, wire.log, signal);
  expect(listsSince(since)).toBe(0);
  expect(wire.records).toMatchObject([{ level: 'warning', reason: 'FleetIndexUnavailable' }]);
});
