import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { dryRun, dryRunEvents, MAIN_PARAMETERS, OTHER_VAULT, SUBSCRIPTION, VAULT } from './arm/templates.ts';

const guide = readFileSync(new URL('../../docs/how-to/uninstall.md', import.meta.url), 'utf8');
const [, , topics = '', roles = '', group = ''] = guide.split(/^(?=\d\. )/m);

/** By which step each kind goes that is not in the resource group of the app, and what the step calls it. */
const GOES: Readonly<Record<string, [step: string, words: string]>> = {
  'Microsoft.EventGrid/systemTopics': [topics, 'system topics `evgt-<vault>`'],
  'Microsoft.EventGrid/eventSubscriptions': [topics, 'on each subscription the event subscriptions'],
  'Microsoft.EventGrid/systemTopics/eventSubscriptions': [topics, 'event subscriptions `cmk-<function app>-…`'],
  'Microsoft.Insights/metricAlerts': [topics, 'metric alerts `cmk-<environment>-…`'],
  'Microsoft.Insights/diagnosticSettings': [topics, 'diagnostic setting `cmk-autopilot-<environment>`'],
  'Microsoft.Authorization/roleAssignments': [roles, 'sh infra/uninstall.sh roles'],
  'Microsoft.Authorization/roleDefinitions': [roles, 'sh infra/uninstall.sh roles'],
};

it('says how to be rid of everything that a deployment puts beside its own resource group', async () => {
  const main = await dryRun('main', {
    ...MAIN_PARAMETERS,
    managedVaults: [VAULT, OTHER_VAULT, VAULT.replace('vaults/kv-files', 'managedHSMs/hsm')],
    storageResourceGroups: [`/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files`],
    allowKeyRecovery: true,
    allowIdentityAssignment: true,
    allowEffectProbe: true,
    allowBlobProbe: true,
    vaultDiagnostics: true,
    privateNetwork: true,
    vaultPrivateEndpoints: true,
    alertEmails: ['on-call@example.com'],
    notifyFrom: `${OTHER_VAULT}/secrets/notify`,
  });
  const events = await dryRunEvents(main.outputs);
  const beside = [...main.azure.resources, ...events.resources].filter(
    ({ id }) => !id.toLowerCase().includes('/resourcegroups/rg-cmk-test'),
  );
  expect([...new Set(beside.map(({ type }) => type))].sort()).toEqual(Object.keys(GOES).sort());
  for (const [step, words] of Object.values(GOES)) expect(step).toContain(words);
  expect(group).toContain('az group delete -n rg-cmk-<environment>');
});
