import { beforeAll, describe, expect, it } from 'vitest';
import { subscriptionName, wantedSubscriptions } from '../../src/events/subscription.ts';
import { completed, type DryAzure } from './arm/dry-azure.ts';
import { asString, at } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS, OTHER_VAULT, VAULT } from './arm/templates.ts';
import { sources } from './sources.ts';

/** The event functions of the app and the event type that each handles, as their files register them. */
const handled = sources('src/functions').flatMap(({ text }) =>
  [...text.matchAll(/onKeyEvent\(\s*'([^']+)',\s*'([^']+)'/g)].map(([, name = '', type = '']) => ({ name, type })),
);

let azure: DryAzure;
let functionAppId: string;
const subscriptions = () => azure.ofType('Microsoft.EventGrid/systemTopics/eventSubscriptions');

beforeAll(async () => {
  const main = await dryRun('main', MAIN_PARAMETERS);
  functionAppId = asString(main.outputs.CMK_FUNCTION_APP_ID, 'id');
  ({ azure } = await dryRunEvents(main.outputs));
});

describe('event subscriptions', () => {
  it('aim each event type at the function that handles it, and leave out none', () => {
    expect(handled.length).toBeGreaterThan(0);
    const aimed = subscriptions()
      .filter(({ id }) => id.includes('/evgt-kv-files/'))
      .map(({ body }) => ({
        name: asString(at(body, 'properties', 'destination', 'properties', 'resourceId'), 'destination').split(
          '/functions/',
        )[1],
        type: at(body, 'properties', 'filter', 'includedEventTypes', 0),
      }));
    const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
      (a.name ?? '').localeCompare(b.name ?? '');
    expect(aimed.sort(byName)).toEqual(handled.sort(byName));
  });

  it('exist for every managed vault, on a system topic beside it', () => {
    const topics = azure.ofType('Microsoft.EventGrid/systemTopics');
    expect(topics.map(({ body }) => at(body, 'properties', 'source'))).toEqual([VAULT, OTHER_VAULT]);
    expect(topics.map(({ id }) => id.split('/').slice(0, 5).join('/'))).toEqual(
      [VAULT, OTHER_VAULT].map((vault) => vault.split('/').slice(0, 5).join('/')),
    );
    expect(subscriptions()).toHaveLength(2 * handled.length);
  });

  it('deliver CloudEvents one at a time to the function app, for as long as Event Grid tries', () => {
    for (const { body } of subscriptions()) {
      expect(body.properties).toMatchObject({
        eventDeliverySchema: 'CloudEventSchemaV1_0',
        destination: { endpointType: 'AzureFunction', properties: { maxEventsPerBatch: 1 } },
        retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 },
      });
      expect(at(body, 'properties', 'destination', 'properties', 'resourceId')).toMatch(
        new RegExp(`^${functionAppId}/functions/`),
      );
    }
  });

  it('have the names that the app gives those that it puts back', () => {
    const ours = wantedSubscriptions({ functionAppId, storageAccountId: undefined }).map(subscriptionName);
    const deployed = subscriptions().map(({ id }) => id.slice(id.lastIndexOf('/') + 1));
    expect([...new Set(deployed)]).toEqual(ours);
    for (const name of ours) expect(name).toMatch(/^[a-zA-Z0-9-]{3,64}$/);
  });

  it('put aside what cannot be delivered as the topic itself, the only identity that passes a storage firewall', () => {
    const writers = azure
      .ofType('Microsoft.Authorization/roleAssignments')
      .filter(({ id }) => id.includes('/containers/cmk-deadletter/'));
    expect(writers.map(({ body }) => at(body, 'properties', 'principalId'))).toEqual(
      azure.ofType('Microsoft.EventGrid/systemTopics').map((topic) => at(completed(topic), 'identity', 'principalId')),
    );
    for (const topic of azure.ofType('Microsoft.EventGrid/systemTopics')) {
      expect(at(topic.body, 'identity', 'type')).toBe('SystemAssigned');
      // Granted before it is needed.
      const order = azure.resources.map(({ id }) => id);
      const granted = writers.findIndex(
        (one) => at(one.body, 'properties', 'principalId') === at(completed(topic), 'identity', 'principalId'),
      );
      const first = order.findIndex((id) => id.startsWith(`${topic.id}/eventSubscriptions/`));
      expect(order.indexOf(writers[granted]?.id ?? '')).toBeLessThan(first);
      for (const { body } of subscriptions().filter(({ id }) => id.startsWith(`${topic.id}/`))) {
        expect(at(body, 'properties', 'deadLetterWithResourceIdentity')).toMatchObject({
          identity: { type: 'SystemAssigned' },
          deadLetterDestination: { endpointType: 'StorageBlob', properties: { blobContainerName: 'cmk-deadletter' } },
        });
      }
    }
  });

  it('are not in the main template: their functions exist only once the package is deployed', async () => {
    const { azure: main } = await dryRun('main', MAIN_PARAMETERS);
    expect(main.resources.filter(({ type }) => type.startsWith('Microsoft.EventGrid/'))).toEqual([]);
  });
});
