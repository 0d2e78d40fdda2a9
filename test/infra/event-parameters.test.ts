import { describe, expect, it } from 'vitest';
import {
  eventParameters,
  missingFunctions,
  readMainOutputs,
  vaultSubscriptions,
} from '../../scripts/infra/event-parameters.ts';
import { asObject, type JsonObject } from './arm/json.ts';
import { dryRun, MAIN_PARAMETERS, OTHER_SUBSCRIPTION, SUBSCRIPTION, template, VAULT } from './arm/templates.ts';

/** The outputs of the main template as azd puts them into the environment: text, or JSON. */
async function environment(): Promise<Record<string, string>> {
  const { outputs } = await dryRun('main', MAIN_PARAMETERS);
  const texts = Object.entries(outputs).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return { ...Object.fromEntries(texts), AZURE_ENV_NAME: 'test', AZURE_LOCATION: 'westeurope' };
}

describe('parameters of the event subscriptions', () => {
  it('come from the outputs of the main template, every one', async () => {
    const { parameters, warnings } = eventParameters(readMainOutputs(await environment()), []);
    expect(warnings).toEqual([]);
    expect(Object.keys(parameters).sort()).toEqual(
      Object.keys(asObject(template('events').parameters, 'parameters')).sort(),
    );
    const values = Object.fromEntries(
      Object.entries(parameters).map(([name, { value }]) => [name, value]),
    ) as JsonObject;
    const { azure } = await dryRun('events', values);
    expect(azure.ofType('Microsoft.EventGrid/systemTopics/eventSubscriptions')).toHaveLength(6);
  });

  it('use the system topic that a vault has, whatever the spelling of its id, and warn of an identity that is lost', async () => {
    const topic = {
      id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-theirs/providers/Microsoft.EventGrid/systemTopics/theirs`,
      name: 'theirs',
      properties: { source: VAULT.toUpperCase() },
      identity: { userAssignedIdentities: { '/their/identity': {} } },
    };
    const { parameters, warnings } = eventParameters(readMainOutputs(await environment()), [topic]);
    expect(parameters.vaults?.value).toMatchObject([
      { id: VAULT, topicName: 'theirs', topicResourceGroup: 'rg-theirs' },
      {},
    ]);
    expect(warnings).toEqual([expect.stringContaining('/their/identity')]);
  });

  it('say all that is missing, and what to run', () => {
    expect(() => readMainOutputs({ AZURE_ENV_NAME: 'test' })).toThrow(
      /CMK_FUNCTION_APP_ID.*CMK_VAULT_LOCATIONS.*azd provision/,
    );
  });

  it('look for topics in every subscription that has a managed vault', async () => {
    expect(vaultSubscriptions(readMainOutputs(await environment()))).toEqual([SUBSCRIPTION, OTHER_SUBSCRIPTION]);
  });

  it('wait for the functions that are not there yet', () => {
    expect(missingFunctions(['app/keyNewVersionCreated', 'app/reconcileKey'])).toEqual(['keyNearExpiry', 'keyExpired']);
  });
});
