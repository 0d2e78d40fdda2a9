import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { JsonObject } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS, mainWith, OTHER_VAULT, SUBSCRIPTION, VAULT } from './arm/templates.ts';

const guide = readFileSync(new URL('../../docs/how-to/uninstall.md', import.meta.url), 'utf8');
const [, , topics = '', roles = '', group = ''] = guide.split(/^(?=\d\. )/m);

/** By which step each kind goes that is not in the resource group of the app, and what the step calls it. */
const GOES: Readonly<Record<string, [step: string, words: string]>> = {
  'Microsoft.EventGrid/systemTopics': [topics, 'system topics `evgt-<vault>`'],
  'Microsoft.EventGrid/eventSubscriptions': [topics, 'sh infra/uninstall.sh events'],
  'Microsoft.EventGrid/systemTopics/eventSubscriptions': [topics, 'event subscriptions `cmk-<function app>-…`'],
  'Microsoft.Insights/metricAlerts': [topics, 'metric alerts `cmk-<environment>-…`'],
  'Microsoft.Insights/diagnosticSettings': [topics, 'diagnostic setting `cmk-autopilot-<environment>`'],
  'Microsoft.Authorization/roleAssignments': [roles, 'sh infra/uninstall.sh roles'],
  'Microsoft.Authorization/roleDefinitions': [roles, 'sh infra/uninstall.sh roles'],
};

it('the uninstall page covers everything that a deployment creates outside its own resource group', async () => {
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

const removed = guide.split('\n## Remove a part\n')[1]?.split('\n## ')[0] ?? '';

/** What a deployment with these parameters puts into Azure, by id. */
async function made(parameters: JsonObject): Promise<string[]> {
  const { resources } = await mainWith({ packageUri: 'https://example.com/app.zip', ...parameters });
  return resources.map(({ id }) => id.toLowerCase());
}

const GROUP = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files`;

// A deployment adds and changes; what it does not name any more, it leaves.
it.each<[name: string, before: JsonObject, after: JsonObject]>([
  ['CMK_VAULTS', {}, { managedVaults: [VAULT] }],
  ['CMK_SUBSCRIPTIONS', {}, { storageSubscriptions: [SUBSCRIPTION] }],
  ['CMK_STORAGE_RESOURCE_GROUPS', {}, { storageResourceGroups: [GROUP] }],
  ['CMK_STORAGE_RESOURCE_GROUPS', { storageResourceGroups: [GROUP] }, { storageResourceGroups: [] }],
  ['CMK_HOST_STORAGE_BY_CONTAINER', {}, { hostStorageByContainer: true }],
  ['CMK_ALLOW_EFFECT_PROBE', { allowEffectProbe: true }, {}],
  ['CMK_ALLOW_BLOB_PROBE', { allowBlobProbe: true }, {}],
  ['CMK_ALLOW_IDENTITY_ASSIGNMENT', { allowIdentityAssignment: true }, {}],
  ['CMK_ALLOW_EVENT_REPAIR', {}, { allowEventRepair: false }],
  ['CMK_DEAD_LETTER_ACTIONS', { deadLetterActions: ['Microsoft.Storage/storageAccounts/write'] }, {}],
  ['CMK_ASSIGN_RIGHTS', {}, { assignRights: false }],
  ['CMK_VAULT_DIAGNOSTICS', { vaultDiagnostics: true }, {}],
  ['CMK_NOTIFY_FROM', { notifyFrom: `${VAULT}/secrets/notify` }, {}],
  ['otherDependents', {}, { otherDependents: 'none' }],
  ['CMK_PRIVATE_NETWORK', { privateNetwork: true }, {}],
  ['CMK_NAT_GATEWAY', { privateNetwork: true, natGateway: true }, { privateNetwork: true }],
  [
    'CMK_EGRESS_FIREWALL_ADDRESS',
    { privateNetwork: true, egressFirewallAddress: '10.1.0.4' },
    { privateNetwork: true },
  ],
  ['CMK_PRIVATE_MONITORING', { privateNetwork: true, privateMonitoring: true }, { privateNetwork: true }],
  ['CMK_SITE_DIAGNOSTICS', { siteDiagnostics: true }, {}],
  ['CMK_LOCK_GROUP', { lockGroup: true }, {}],
  ['CMK_ALERT_EMAILS', { alertEmails: ['on-call@example.com'] }, {}],
])('the uninstall page covers the remains of %s', async (name, before, after) => {
  const [first, second] = await Promise.all([made(before), made(after)]);
  expect(first.filter((id) => !second.includes(id))).not.toEqual([]);
  expect(removed).toContain(`\`${name}\``);
});

it('the uninstall page removes at once a right that only a role definition grants', async () => {
  const [first, second] = await Promise.all([made({ allowKeyRecovery: true }), made({})]);
  expect(second).toEqual(first);
  expect(removed).toContain('`CMK_ALLOW_KEY_RECOVERY`');
});
