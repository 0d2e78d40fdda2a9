import { ManagedIdentityCredential } from '@azure/identity';
import { CLIENT_IDS, SUBSCRIPTION_ID, TENANT_ID } from '../../local/azure/constants.ts';
import type { LocalAzure } from '../../local/azure/server.ts';
import { createEventGrid } from '../../src/events/event-grid-client.ts';
import { compareSubscriptions, listRequiredSubscriptions } from '../../src/events/subscription.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { deploy } from './arm/deploy.ts';
import type { JsonObject } from './arm/json.ts';
import { LocalTarget } from './arm/local-target.ts';
import { type TemplateName, template } from './arm/templates.ts';

/** Deployments of the compiled templates to a local Azure, and what they have left there. */
export class Deployed {
  readonly #azure: LocalAzure;
  readonly target: LocalTarget;

  constructor(azure: LocalAzure) {
    this.#azure = azure;
    this.target = new LocalTarget(azure);
  }

  run(name: TemplateName, parameters: JsonObject, subscriptionId: string = SUBSCRIPTION_ID): Promise<JsonObject> {
    return deploy(
      {
        template: template(name),
        parameters,
        scope: { subscriptionId, resourceGroup: name === 'demo' ? 'rg-demo' : undefined },
        location: 'westeurope',
        tenantId: TENANT_ID,
        deployerId: this.#azure.world.principals.get(CLIENT_IDS.owner)?.objectId ?? '',
      },
      this.target,
    );
  }

  /** @returns its ARM id */
  async group(name: string, subscriptionId: string = SUBSCRIPTION_ID): Promise<string> {
    const id = `/subscriptions/${subscriptionId}/resourceGroups/${name}`;
    const type = 'Microsoft.Resources/resourceGroups';
    await this.target.put({ id, type, apiVersion: '2024-03-01', body: { location: 'westeurope' } });
    return id;
  }

  /**
   * A system topic of the vault as another owner creates it: with a tag, and no identity.
   *
   * @returns its ARM id
   */
  async theirTopic(vault: string, group: string, name: string): Promise<string> {
    const id = `${group}/providers/Microsoft.EventGrid/systemTopics/${name}`;
    const properties = { source: vault, topicType: 'Microsoft.KeyVault.vaults' };
    await this.target.put({
      id,
      type: 'Microsoft.EventGrid/systemTopics',
      apiVersion: '2025-02-15',
      body: { location: 'westeurope', tags: { owner: 'them' }, properties },
    });
    return id;
  }

  /** The settings that the template gave the app last. */
  settings(): Record<string, string> {
    return this.target.elsewhere.settings();
  }
}

/** What an app with these settings reads of a vault's event subscriptions, and thinks of them. */
export async function subscriptionsSeen(settings: Record<string, string>, vault: string) {
  const { cloud, vaults, clientId, drift } = readSettings(settings);
  const { functionAppId, storageAccountId, systemTopics } = drift;
  const managed = vaults.byId(vault);
  if (!managed || !functionAppId) throw new Error('the settings name neither the vault nor the app');

  const identity = new ManagedIdentityCredential({ clientId: clientId ?? '' });
  const read = await createEventGrid(identity, cloud, systemTopics).read(managed);

  return {
    read,
    verdicts: compareSubscriptions(listRequiredSubscriptions({ functionAppId, storageAccountId }), read.subscriptions),
  };
}
