import { beforeAll, describe, expect, it } from 'vitest';
import {
  eventParameters,
  type MainOutputs,
  missingFunctions,
  readMainOutputs,
} from '../../scripts/infra/event-parameters.ts';
import { keyVaultsIn, topicQuery, topicsByVault } from '../../scripts/infra/find-topics.ts';
import {
  createSubscriptionName,
  listRequiredSubscriptions,
  listRequiredWatches,
} from '../../src/events/subscription.ts';
import type { Resource } from './arm/deploy.ts';
import { completed, type DryAzure, nameOf } from './arm/dry-azure.ts';
import { asObject, at, type JsonObject } from './arm/json.ts';
import {
  dryRun,
  eventValues,
  MAIN_PARAMETERS,
  mainOutputs,
  OTHER_VAULT,
  SUBSCRIPTION,
  template,
  VAULT,
} from './arm/templates.ts';
import { sources } from './sources.ts';

const TOPICS = 'Microsoft.EventGrid/systemTopics';
const SUBSCRIPTIONS = `${TOPICS}/eventSubscriptions`;

/** The event functions of the app and the event type that each handles, as their files register them. */
const handled = sources('src/functions').flatMap(({ text }) =>
  [...text.matchAll(/onKeyEvent\(\s*'([^']+)',\s*'([^']+)'/g)].map(([, name = '', type = '']) => `${name}: ${type}`),
);

let outputs: JsonObject;
let main: MainOutputs;
let azure: DryAzure;
beforeAll(async () => {
  const run = await dryRun('main', MAIN_PARAMETERS);
  // Their functions exist only once the package is deployed.
  expect(run.azure.resources.filter(({ type }) => type.startsWith('Microsoft.EventGrid/'))).toEqual([]);
  outputs = run.outputs;
  main = mainOutputs(outputs);
  azure = (await dryRun('events', eventValues(main))).azure;
});

describe('the event subscriptions', () => {
  it('The event subscriptions target the function of each event type, and omit none', () => {
    expect(handled.length).toBeGreaterThan(0);
    const ofOne = azure.ofType(SUBSCRIPTIONS).filter(({ id }) => id.includes('/evgt-kv-files/'));
    const aimed = ofOne.map(({ body: { properties = null } }) => {
      const [app, name] = String(at(properties, 'destination', 'properties', 'resourceId')).split('/functions/');
      expect(app).toBe(main.functionAppId);
      return `${name}: ${at(properties, 'filter', 'includedEventTypes', 0)}`;
    });
    expect(aimed.sort()).toEqual(handled.sort());
  });

  it('The event subscriptions exist for every managed vault, on a system topic in its group with an identity of its own', () => {
    expect(azure.values(TOPICS, 'source')).toEqual([VAULT, OTHER_VAULT]);
    const groupOf = (id: string) => id.split('/').slice(0, 5).join('/');
    const topics = azure.ofType(TOPICS);
    expect(topics.map(({ id }) => groupOf(id))).toEqual([VAULT, OTHER_VAULT].map(groupOf));
    // Behind a storage firewall Event Grid writes dead letters as no other.
    const identity = { type: 'SystemAssigned', userAssignedIdentities: null };
    expect(topics.map(({ body }) => body.identity)).toEqual([identity, identity]);
    expect(azure.ofType(SUBSCRIPTIONS)).toHaveLength(2 * handled.length);
  });

  it('The event subscriptions deliver CloudEvents one at a time, for as long as Event Grid retries, and dead-letter the rest', () => {
    for (const properties of azure.values(SUBSCRIPTIONS)) {
      expect(properties).toMatchObject({
        eventDeliverySchema: 'CloudEventSchemaV1_0',
        destination: { endpointType: 'AzureFunction', properties: { maxEventsPerBatch: 1 } },
        retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 },
        deadLetterWithResourceIdentity: {
          identity: { type: 'SystemAssigned' },
          deadLetterDestination: { endpointType: 'StorageBlob', properties: { blobContainerName: 'cmk-deadletter' } },
        },
      });
    }
  });

  it('The event subscriptions let each topic write dead letters and nothing else of the storage, before they are needed', () => {
    const onStorage = azure.resources.filter(({ id }) => /\/Microsoft\.Storage\/.*\/roleAssignments\//.test(id));
    expect(onStorage.filter(({ id }) => !id.includes('/containers/cmk-deadletter/'))).toEqual([]);
    const topics = azure.ofType(TOPICS);
    const writers = onStorage.map(({ body }) => at(body, 'properties', 'principalId'));
    expect(writers).toEqual(topics.map((topic) => at(completed(topic), 'identity', 'principalId')));
    for (const [index, { id }] of topics.entries()) {
      const first = azure.resources.findIndex((one) => one.id.startsWith(`${id}/eventSubscriptions/`));
      expect(azure.resources.indexOf(onStorage[index] as Resource)).toBeLessThan(first);
    }
  });

  it('The event subscriptions have the names that the app uses when it repairs them', () => {
    const ours = listRequiredSubscriptions({ functionAppId: main.functionAppId, storageAccountId: undefined });
    expect([...new Set(azure.names(SUBSCRIPTIONS))]).toEqual(ours.map(createSubscriptionName));
    for (const name of ours.map(createSubscriptionName)) expect(name).toMatch(/^[a-zA-Z0-9-]{3,64}$/);
  });

  it('The event subscriptions deliver changes exactly as those that the app would create', () => {
    const wanted = listRequiredWatches(main, main.appClientId);
    const deployed = azure.ofType('Microsoft.EventGrid/eventSubscriptions');

    expect(new Set(deployed.map(({ id }) => nameOf(id)))).toEqual(new Set(wanted.map(createSubscriptionName)));

    for (const { id, body } of deployed) {
      const one = wanted.find((of) => nameOf(id) === createSubscriptionName(of));
      expect(body.properties).toMatchObject({
        destination: { properties: { resourceId: one?.functionId } },
        filter: { includedEventTypes: one?.eventTypes, advancedFilters: one?.filters },
      });
    }
  });
});

describe('the parameters of the event subscriptions', () => {
  const theirs = {
    id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-theirs/providers/${TOPICS}/theirs`,
    name: 'theirs',
    tags: { owner: 'them' },
    properties: { source: VAULT.toUpperCase() },
  };

  const vaultsWith = (...[topics, isGone]: [Parameters<typeof eventParameters>[1], ((id: string) => boolean)?]) =>
    eventParameters(main, topics, isGone).vaults?.value;

  it('The parameters of the event subscriptions all come from the outputs of the main template, and a missing one is reported with what to run', () => {
    const declared = Object.keys(asObject(template('events').parameters, 'parameters'));
    expect(Object.keys(eventValues(main)).sort()).toEqual(declared.sort());
    expect(() => readMainOutputs({ AZURE_ENV_NAME: 'test' })).toThrow(
      /CMK_FUNCTION_APP_ID.*CMK_VAULT_LOCATIONS.*azd provision/,
    );
  });

  it('The parameters of the event subscriptions leave the rights to another team on request', () => {
    const assigns = (more: Record<string, string>) => mainOutputs(outputs, more).assignRights;
    expect([assigns({}), assigns({ CMK_ASSIGN_RIGHTS: 'true' })]).toEqual([true, true]);
    expect([assigns({ CMK_ASSIGN_RIGHTS: 'false' }), assigns({ CMK_PROFILE: 'bank' })]).toEqual([false, false]);
  });

  it('The parameters of the event subscriptions use the existing system topic of a vault, whatever the spelling of its id, and keep its properties', async () => {
    // The identity that wrote dead letters up to version 0.2.
    const ofVersion02 = `${main.functionAppId.split('/providers/')[0]}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-cmk-events-x`;
    const type = 'SystemAssigned, UserAssigned';
    const identity = { type, userAssignedIdentities: { '/their/identity': {}, [ofVersion02]: {} } };
    const topics = [{ ...theirs, identity }];

    expect(vaultsWith(topics)).toMatchObject([
      { id: VAULT, topicId: theirs.id, topicIdentities: ['/their/identity'] },
      {},
    ]);

    const { azure: over } = await dryRun('events', eventValues(main, topics));
    expect(over.ofType(TOPICS)[0]?.body).toMatchObject({
      tags: { owner: 'them' },
      identity: { type, userAssignedIdentities: { '/their/identity': {} } },
    });
  });

  it('The parameters of the event subscriptions remove no identity of others, and name no deleted one, for which Azure would reject the topic', () => {
    const identity = { type: 'UserAssigned', userAssignedIdentities: { '/one': {}, '/two': {} } };
    const none = vaultsWith([{ ...theirs, tags: null, identity: null }]);
    const one = vaultsWith([{ ...theirs, identity }], (id) => id === '/one');
    expect([none, one]).toMatchObject([
      [{ topicIdentities: [] }, {}],
      [{ topicIdentities: ['/two'] }, {}],
    ]);
  });

  it('A second deployment writes its earlier topic under the same names, in whichever case Azure lists it', async () => {
    const listed = azure.ofType(TOPICS).map(({ id }, index) => ({
      id: id.replace('rg-', 'RG-').replace('systemTopics', 'systemtopics'),
      name: nameOf(id),
      properties: { source: [VAULT, OTHER_VAULT][index] ?? '' },
    }));
    const { azure: again } = await dryRun('events', eventValues(main, listed));
    expect(again.resources.map(({ id }) => id)).toEqual(azure.resources.map(({ id }) => id));
  });

  it('The parameters of the event subscriptions pass the topics to the app by vault, and search elsewhere for vaults without one', () => {
    expect(keyVaultsIn(`${VAULT}, ${VAULT.replace('/vaults/', '/managedHSMs/')}`)).toEqual([VAULT]);
    expect(topicsByVault([VAULT, OTHER_VAULT], [theirs])).toEqual({ [VAULT.toLowerCase()]: theirs.id });
    expect(topicQuery([VAULT])).toContain(`tolower(tostring(properties.source)) in ('${VAULT.toLowerCase()}')`);
  });

  it('The parameters of the event subscriptions wait for functions that do not exist yet', () => {
    const missing = missingFunctions(['app/keyNewVersionCreated', 'app/reconcileKey']);
    expect(missing).toEqual(['keyNearExpiry', 'keyExpired', 'resourceChanged']);
  });
});
