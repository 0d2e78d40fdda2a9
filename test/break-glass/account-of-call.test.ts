import { describe, expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { accountOfCall } from '../../src/break-glass/account-of-call.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const path = `/subscriptions/${SECOND_SUBSCRIPTION_ID}/resources`;
const services = () => {
  const real = wire.services();
  return { ...real, settings: { ...real.settings, subscriptions: [SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID] } };
};

describe('the account that a call names', () => {
  it.each([
    ['may not be read', { answer: { status: 403 } }],
    ['does not answer', { hang: true }],
  ] as const)('is found although another subscription %s', async (_, fault) => {
    const account = new TestKey(wire.azure.world).account();
    wire.azure.faults.add([{ match: { host: 'management.azure.com', path }, ...fault }]);
    expect((await accountOfCall(account.name.toUpperCase(), services())).id).toBe(account.id);
  });

  it('is not said to be missing as long as a subscription could not be read', async () => {
    wire.azure.faults.add([{ match: { host: 'management.azure.com', path }, answer: { status: 403 } }]);
    await expect(accountOfCall('nosuchaccount', services())).rejects.toMatchObject({ status: 502 });
    wire.azure.faults.clear();
    await expect(accountOfCall('nosuchaccount', services())).rejects.toMatchObject({ status: 404 });
  });
});
