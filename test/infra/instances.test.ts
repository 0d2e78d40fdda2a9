import { describe, expect, it } from 'vitest';
import { deploy } from './arm/deploy.ts';
import { DryAzure } from './arm/dry-azure.ts';
import type { JsonObject } from './arm/json.ts';
import { SUBSCRIPTION, TENANT, template } from './arm/templates.ts';

const SHARED = '33333333-3333-3333-3333-333333333333';
const OTHER = '22222222-2222-2222-2222-222222222222';
const vault = (name: string) =>
  `/subscriptions/${SHARED}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/${name}`;

/** Everything that one instance writes, with every right that can be asked for, by the id in small letters. */
async function written(subscriptionId: string, parameters: JsonObject): Promise<Map<string, string>> {
  const azure = new DryAzure();
  await deploy(
    {
      template: template('main'),
      parameters: {
        location: 'westeurope',
        storageSubscriptions: [SHARED],
        packageUri: 'https://example.com/app.zip',
        allowKeyRecovery: true,
        allowIdentityAssignment: true,
        allowEffectProbe: true,
        allowBlobProbe: true,
        hostStorageByContainer: true,
        vaultDiagnostics: true,
        privateNetwork: true,
        vaultPrivateEndpoints: true,
        alertEmails: ['on-call@example.com'],
        notifyFrom: `${vault('kv-evidence')}/secrets/notify`,
        ...parameters,
      },
      scope: { subscriptionId },
      location: 'westeurope',
      tenantId: TENANT,
      deployerId: '55555555-5555-5555-5555-555555555555',
    },
    azure,
  );

  return new Map([
    ...azure.resources.map(({ id, body }) => [id.toLowerCase(), JSON.stringify(body)] as const),
    ...azure.deployments.map((id) => [id.toLowerCase(), ''] as const),
  ]);
}

const roleNames = (resources: Map<string, string>) =>
  [...resources].flatMap(([id, body]) =>
    id.includes('/roledefinitions/') ? [String(JSON.parse(body).properties.roleName)] : [],
  );

describe('two instances that manage accounts and vaults of one subscription', () => {
  it.each([
    ['environments of different names in one subscription', SUBSCRIPTION, 'prod', SUBSCRIPTION, 'test'],
    ['environments of one name, each in a subscription of its own', SUBSCRIPTION, 'prod', OTHER, 'prod'],
    ['environments of one name, one beside the accounts', SHARED, 'prod', OTHER, 'prod'],
  ])(
    'Two instances in one subscription write no resource of each other: %s',
    async (_, mine, myName, theirs, theirName) => {
      const groups = { storageResourceGroups: [`/subscriptions/${SHARED}/resourceGroups/rg-files`] };
      const [ours, others] = await Promise.all([
        written(mine, { environmentName: myName, managedVaults: [vault('kv-one')], ...groups }),
        written(theirs, { environmentName: theirName, managedVaults: [vault('kv-two')], ...groups }),
      ]);
      expect([...ours.keys()].filter((id) => others.has(id))).toEqual([]);
      // Azure takes the name of a role once in a tenant.
      expect(roleNames(ours).filter((name) => roleNames(others).includes(name))).toEqual([]);
    },
  );
});
