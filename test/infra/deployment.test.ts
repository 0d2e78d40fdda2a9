import { describe, expect, it } from 'vitest';
import { deploymentName, outputsOf } from '../../scripts/infra/deployment.ts';
import { readMainOutputs } from '../../scripts/infra/event-parameters.ts';
import { asObject } from './arm/json.ts';
import { dryRun, MAIN_PARAMETERS, template } from './arm/templates.ts';

/** What Azure Resource Manager makes of the name of an output: its leading capitals but the last in lower case. */
const asAzureGivesIt = (name: string): string =>
  name.replace(/^[A-Z]+(?=[A-Z](?![a-z]))/, (start) => start.toLowerCase());

describe('the outputs of a deployment', () => {
  it('The outputs of a deployment have the names of the template, whatever case Azure returns', async () => {
    expect(asAzureGivesIt('AZURE_RESOURCE_GROUP')).toBe('azurE_RESOURCE_GROUP');
    const { outputs } = await dryRun('main', MAIN_PARAMETERS);
    const printed = Object.entries(outputs).map(([name, value]) => [asAzureGivesIt(name), { value }]);
    const read = outputsOf({ properties: { outputs: Object.fromEntries(printed) } });
    expect(Object.keys(read)).toEqual(Object.keys(outputs));
    const main = readMainOutputs({ ...read, AZURE_ENV_NAME: 'test', AZURE_LOCATION: 'westeurope' });
    expect(main.functionAppId).toBe(outputs.CMK_FUNCTION_APP_ID);
    expect(main.vaults).toEqual(outputs.CMK_VAULT_LOCATIONS);
  });

  it('The outputs of a deployment are all upper case, and so distinct', () => {
    const names = Object.keys(asObject(template('main').outputs, 'outputs'));
    expect(names.filter((name) => name !== name.toUpperCase())).toEqual([]);
  });
});

it('deployments to a subscription have the region in their name, and a name that Azure accepts', () => {
  expect(deploymentName('cmk-events', 'prod', 'West Europe')).toBe('cmk-events-prod-westeurope');
  expect(deploymentName('cmk-events', 'e'.repeat(32), 'germanywestcentral')).toHaveLength(62);
  expect(deploymentName('cmk-events', 'e'.repeat(64), 'germanywestcentral').length).toBeLessThanOrEqual(64);
});
