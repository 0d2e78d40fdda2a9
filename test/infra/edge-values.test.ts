import { describe, expect, it } from 'vitest';
import { readSettings } from '../../src/settings/settings.ts';
import { asObject, at } from './arm/json.ts';
import { dryRun, dryRunEvents, MAIN_PARAMETERS, OTHER_VAULT, VAULT } from './arm/templates.ts';

const PACKAGE = 'https://example.com/cmk-autopilot-app-1.2.3.zip';
const nameOf = (id: string): string => id.slice(id.lastIndexOf('/') + 1);

describe('the main template', () => {
  it('The main template uses a vault and a resource group once, in whatever case and space they are repeated', async () => {
    const group = '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-files';
    const parameters = { ...MAIN_PARAMETERS, storageResourceGroups: [group] };
    const once = await dryRun('main', parameters);

    const again = await dryRun('main', {
      ...parameters,
      managedVaults: [VAULT, `\n${OTHER_VAULT} `, VAULT.replace('rg-keys', 'RG-Keys')],
      storageResourceGroups: [` ${group}`, group.toUpperCase()],
      storageSubscriptions: [VAULT, OTHER_VAULT].map((id) => `${id.split('/')[2]}\n`),
    });

    expect(again.azure.resources).toEqual(once.azure.resources);
    expect(again.outputs).toEqual(once.outputs);
  });

  it('The main template treats the display name of a region like its name', async () => {
    const [plain, shown] = await Promise.all(
      ['westeurope', 'West Europe'].map((location) => dryRun('main', { ...MAIN_PARAMETERS, location })),
    );
    expect(shown?.azure.resources.map(({ id }) => id)).toEqual(plain?.azure.resources.map(({ id }) => id));
  });

  it("The main template stays within Azure's limits of names, for the longest environment in a region with a long name", async () => {
    const { azure, outputs } = await dryRun('main', {
      ...MAIN_PARAMETERS,
      environmentName: 'an-environment-of-32-characters-',
      location: 'germanywestcentral',
      packageUri: PACKAGE,
      privateNetwork: true,
      vaultPrivateEndpoints: true,
      alertEmails: ['on-call@example.com'],
    });

    const events = await dryRunEvents(outputs);

    // Azure, "Naming rules and restrictions".
    const most: Record<string, number> = {
      'Microsoft.Web/sites': 60,
      'Microsoft.Web/serverfarms': 60,
      'Microsoft.Storage/storageAccounts': 24,
      'Microsoft.OperationalInsights/workspaces': 63,
      'Microsoft.Insights/components': 260,
      'Microsoft.Insights/actionGroups': 260,
      'Microsoft.ManagedIdentity/userAssignedIdentities': 128,
      'Microsoft.Network/virtualNetworks': 64,
      'Microsoft.Network/privateEndpoints': 64,
      'Microsoft.Resources/resourceGroups': 90,
      'Microsoft.EventGrid/systemTopics': 128,
      'Microsoft.EventGrid/systemTopics/eventSubscriptions': 64,
      'Microsoft.Insights/metricAlerts': 260,
    };

    const all = [...azure.resources, ...events.resources];

    for (const [type, length] of Object.entries(most)) {
      const names = all.filter((one) => one.type === type).map(({ id }) => nameOf(id));
      expect([type, names.length]).not.toEqual([type, 0]);
      expect(names.filter((name) => name.length > length)).toEqual([]);
    }

    for (const { body } of azure.ofType('Microsoft.Insights/actionGroups')) {
      expect(String(at(body, 'properties', 'groupShortName')).length).toBeLessThanOrEqual(12);
    }

    const settings = azure.ofType('Microsoft.Web/sites/config').find(({ id }) => id.endsWith('/appsettings'));
    expect(() => readSettings(asObject(settings?.body.properties, 'settings') as Record<string, string>)).not.toThrow();
  });
});
