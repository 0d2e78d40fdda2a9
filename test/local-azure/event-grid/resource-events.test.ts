import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_IDS, SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../../../local/azure/constants.ts';
import { type PublishedEvent, publishedEvent } from '../../../local/azure/event-grid/event-body.ts';
import { wants } from '../../../local/azure/event-grid/subscription.ts';
import { useLocalAzure } from '../../support/local-azure.ts';
import { arm } from '../support.ts';

const local = useLocalAzure({ fleet: 'sample', settings: { instantProvisioning: true } });
const subscription = `/subscriptions/${SUBSCRIPTION_ID}`;
const account = `${subscription}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`;
const published: PublishedEvent[] = [];

beforeAll(() => {
  const { world } = local.azure;
  const { publishChange } = world;
  world.publishChange = (event) => {
    published.push(publishedEvent(event, randomUUID(), world.clock.now()));
    publishChange(event);
  };
});

async function eventOf(method: string, path: string, options: Parameters<typeof arm>[3] = {}): Promise<PublishedEvent> {
  published.length = 0;
  await arm(local.azure, method, path, options);
  const [event] = published;
  if (!event) throw new Error(`${method} ${path} made no event.`);
  return event;
}

describe('an event of a subscription', () => {
  it.each([
    ['GET', account],
    ['DELETE', `${account}nosuch`],
  ])('A %s that changes nothing (%s) publishes no event', async (method, path) => {
    published.length = 0;
    await arm(local.azure, method, path);
    expect(published).toEqual([]);
  });
});

describe('an event subscription of a subscription', () => {
  const destination = {
    endpointType: 'AzureFunction',
    properties: { resourceId: `${subscription}/resourceGroups/rg/providers/Microsoft.Web/sites/a/functions/f` },
  };
  const path = (id: string) => `/subscriptions/${id}/providers/Microsoft.EventGrid/eventSubscriptions/drift`;

  it('An event subscription on a subscription creates the system topic of its source', async () => {
    await arm(local.azure, 'PUT', path(SECOND_SUBSCRIPTION_ID), { body: { properties: { destination } } });

    const { body } = await arm(
      local.azure,
      'GET',
      `/subscriptions/${SECOND_SUBSCRIPTION_ID}/providers/Microsoft.EventGrid/systemTopics`,
    );
    expect(body.value).toEqual([
      expect.objectContaining({
        properties: expect.objectContaining({
          source: `/subscriptions/${SECOND_SUBSCRIPTION_ID}`,
          topicType: 'Microsoft.Resources.Subscriptions',
        }),
      }),
    ]);
  });

  it('Event Grid rejects 26 values in the advanced filters of an event subscription', async () => {
    const advancedFilters = [
      { operatorType: 'StringIn', key: 'data.operationName', values: Array.from({ length: 25 }, String) },
      { operatorType: 'StringNotIn', key: 'data.claims.appid', values: ['x'] },
    ];
    const body = { properties: { destination, filter: { advancedFilters } } };
    expect(await arm(local.azure, 'PUT', path(SUBSCRIPTION_ID), { body })).toMatchObject({
      status: 400,
      body: { error: { code: 'InvalidRequest' } },
    });
  });

  it.each([
    ['StringNotIn', 'data.claims.appid', CLIENT_IDS.app, true],
    ['StringNotIn', 'data.claims.appid', CLIENT_IDS.owner, false],
    ['StringNotIn', 'data.claims.nosuch', 'x', true],
    ['StringNotContains', 'data.claims.nosuch', 'x', false],
    ['StringIn', 'data.operationName', 'microsoft.keyvault/VAULTS/write', true],
  ])('An event subscription with the filter %s %s %s gets the event: %s', async (operatorType, key, value, wanted) => {
    const vault = `${subscription}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files`;
    const event = await eventOf('PATCH', vault, { body: { tags: {} } });
    const properties = { filter: { advancedFilters: [{ operatorType, key, values: [value] }] } };
    expect(wants({ id: '', name: '', topic: subscription, properties }, event, 0)).toBe(wanted);
  });
});
