import { describe, expect, it } from 'vitest';
import { eventParameters, missingFunctions, readMainOutputs } from '../../scripts/infra/event-parameters.ts';
import { keyVaultsIn, topicQuery, topicsByVault } from '../../scripts/infra/find-topics.ts';
import { subscriptionName, wantedWatches } from '../../src/events/subscription.ts';
import { asObject, type JsonObject } from './arm/json.ts';
import { dryRun, MAIN_PARAMETERS, OTHER_VAULT, SUBSCRIPTION, template, VAULT } from './arm/templates.ts';

/** The outputs of the main template as azd puts them into the environment: text, or JSON. */
async function environment(): Promise<Record<string, string>> {
  const { outputs } = await dryRun('main', MAIN_PARAMETERS);
  const texts = Object.entries(outputs).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return { ...Object.fromEntries(texts), AZURE_ENV_NAME: 'test', AZURE_LOCATION: 'westeurope' };
}

/** The identity that wrote dead letters up to version 0.2. */
const ofVersion02 = (functionAppId: string): string =>
  `${functionAppId.split('/providers/')[0]}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-cmk-events-x`;

describe('parameters of the event subscriptions', () => {
  it('leave the rights to another team where that is asked for', async () => {
    const main = await environment();
    const assigns = (more: Record<string, string>) => readMainOutputs({ ...main, ...more }).assignRights;
    expect([assigns({}), assigns({ CMK_ASSIGN_RIGHTS: 'true' })]).toEqual([true, true]);
    expect([assigns({ CMK_ASSIGN_RIGHTS: 'false' }), assigns({ CMK_PROFILE: 'bank' })]).toEqual([false, false]);
  });

  it('come from the outputs of the main template, every one', async () => {
    const parameters = eventParameters(readMainOutputs(await environment()), []);
    expect(Object.keys(parameters).sort()).toEqual(
      Object.keys(asObject(template('events').parameters, 'parameters')).sort(),
    );
    const values = Object.fromEntries(
      Object.entries(parameters).map(([name, { value }]) => [name, value]),
    ) as JsonObject;
    const { azure } = await dryRun('events', values);
    expect(azure.ofType('Microsoft.EventGrid/systemTopics/eventSubscriptions')).toHaveLength(6);
  });

  it('have the app told of changes by the event subscriptions that it would make itself', async () => {
    const main = readMainOutputs(await environment());
    const values = Object.entries(eventParameters(main, [])).map(([name, { value }]) => [name, value]);
    const { azure } = await dryRun('events', Object.fromEntries(values) as JsonObject);
    const wanted = wantedWatches(main, main.appClientId);
    const deployed = azure.ofType('Microsoft.EventGrid/eventSubscriptions');
    expect(new Set(deployed.map(({ id }) => id.slice(id.lastIndexOf('/') + 1)))).toEqual(
      new Set(wanted.map(subscriptionName)),
    );
    for (const { id, body } of deployed) {
      const one = wanted.find((of) => id.endsWith(`/${subscriptionName(of)}`));
      expect(body.properties).toMatchObject({
        destination: { properties: { resourceId: one?.functionId } },
        filter: { includedEventTypes: one?.eventTypes, advancedFilters: one?.filters },
      });
    }
  });

  const theirs = {
    id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-theirs/providers/Microsoft.EventGrid/systemTopics/theirs`,
    name: 'theirs',
    tags: { owner: 'them' },
    properties: { source: VAULT.toUpperCase() },
  };

  it('use the system topic that a vault has, whatever the spelling of its id, and leave it what it had', async () => {
    const main = readMainOutputs(await environment());
    const identity = {
      type: 'SystemAssigned, UserAssigned',
      userAssignedIdentities: { '/their/identity': {}, [ofVersion02(main.functionAppId)]: {} },
    };
    const parameters = eventParameters(main, [{ ...theirs, identity }]);
    expect(parameters.vaults?.value).toMatchObject([
      { id: VAULT, topicId: theirs.id, topicIdentities: ['/their/identity'] },
      {},
    ]);
    const values = Object.fromEntries(
      Object.entries(parameters).map(([name, { value }]) => [name, value]),
    ) as JsonObject;
    const { azure } = await dryRun('events', values);
    const [kept, ours] = azure.ofType('Microsoft.EventGrid/systemTopics');
    expect(kept?.body).toMatchObject({
      tags: { owner: 'them' },
      identity: {
        type: 'SystemAssigned, UserAssigned',
        userAssignedIdentities: { '/their/identity': {} },
      },
    });
    // Its own: behind a storage firewall Event Grid writes dead letters as no other.
    expect(ours?.body.identity).toEqual({ type: 'SystemAssigned', userAssignedIdentities: null });
  });

  it('write the topic that they made before under the same names, in whichever case Azure lists it', async () => {
    const main = readMainOutputs(await environment());
    const run = async (topics: Parameters<typeof eventParameters>[1]) => {
      const values = Object.entries(eventParameters(main, topics)).map(([name, { value }]) => [name, value]);
      const { azure } = await dryRun('events', Object.fromEntries(values) as JsonObject);
      return azure.resources.map(({ id }) => id);
    };
    const first = await run([]);
    const made = first.filter((id) => /\/systemTopics\/[^/]+$/.test(id));
    const listed = made.map((id, index) => ({
      id: id.replace('rg-', 'RG-').replace('systemTopics', 'systemtopics'),
      name: id.slice(id.lastIndexOf('/') + 1),
      properties: { source: [VAULT, OTHER_VAULT][index] ?? '' },
    }));
    expect(await run(listed)).toEqual(first);
  });

  it('take no identity of others away, and name none that is gone: Azure refuses a topic that does', async () => {
    const identity = { type: 'UserAssigned', userAssignedIdentities: { '/one': {}, '/two': {} } };
    const main = readMainOutputs(await environment());
    const none = eventParameters(main, [{ ...theirs, tags: null, identity: null }]);
    expect(none.vaults?.value).toMatchObject([{ topicIdentities: [] }, {}]);
    const one = eventParameters(main, [{ ...theirs, identity }], (id) => id === '/one');
    expect(one.vaults?.value).toMatchObject([{ topicIdentities: ['/two'] }, {}]);
  });

  it('say all that is missing, and what to run', () => {
    expect(() => readMainOutputs({ AZURE_ENV_NAME: 'test' })).toThrow(
      /CMK_FUNCTION_APP_ID.*CMK_VAULT_LOCATIONS.*azd provision/,
    );
  });

  it('hand the topics to the app by vault, and ask for those elsewhere by the vaults that have none in sight', () => {
    expect(keyVaultsIn(`${VAULT}, ${VAULT.replace('/vaults/', '/managedHSMs/')}`)).toEqual([VAULT]);
    expect(topicsByVault([VAULT, OTHER_VAULT], [theirs])).toEqual({ [VAULT.toLowerCase()]: theirs.id });
    expect(topicQuery([VAULT])).toContain(`tolower(tostring(properties.source)) in ('${VAULT.toLowerCase()}')`);
  });

  it('wait for the functions that are not there yet', () => {
    expect(missingFunctions(['app/keyNewVersionCreated', 'app/reconcileKey'])).toEqual([
      'keyNearExpiry',
      'keyExpired',
      'resourceChanged',
    ]);
  });
});
