import { EventGridManagementClient } from '@azure/arm-eventgrid';
import { ClientSecretCredential } from '@azure/identity';
import { afterEach, expect, it } from 'vitest';
import { CLIENT_IDS, SUBSCRIPTION_ID, TENANT_ID } from '../../local/azure/constants.ts';
import { parseResourceId } from '../../src/azure/resource-id.ts';
import { sampleServices } from '../support/app-services.ts';
import { TestKey } from '../support/fleet.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { arm } from './support.ts';

const local = useLocalAzure({ fleet: 'sample' });
afterEach(() => {
  Object.assign(local.azure.world.settings, { sparseAnswers: false, instantProvisioning: true });
});

async function all<T>(list: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of list) items.push(item);
  return items;
}

/** What the app's clients read of a key with one account, list by list. */
async function readAll(key: TestKey, accountId: string) {
  const services = sampleServices();
  const managed = services.settings.vaults.key(key.id());
  const account = parseResourceId(accountId);
  if (!managed || !account) throw new Error('The key is managed, and the account has an id.');

  const { vault } = managed;
  const since = new Date(local.azure.clock.nowMs() - 3_600_000);

  return {
    accounts: await all(services.accounts.list(SUBSCRIPTION_ID)),
    scopes: await all(services.accounts.listScopes(account)),
    shares: await all(services.shares.list(account)),
    containers: await all(services.containers.list(account)),
    identities: await all(services.identities.list(SUBSCRIPTION_ID)),
    grants: await services.authorization.grantsAt(vault.id),
    tenants: await services.tenants.tenants(),
    events: (await services.eventGrid.read(vault)).subscriptions,
    policies: await services.keyPolicies.assignments(vault),
    locked: await services.vaultGuards.isLocked(vault),
    logged: await services.vaultGuards.sendsAuditLog(vault),
    writes: await services.activityLog.writes(account.id, since),
    rotation: await services.keys.rotationPolicy(managed),
    keys: await services.keyCatalog.names(vault),
    vault: await services.vaults.get(vault),
  };
}

it('The app reads the same from a sparse answer as from a full one', async () => {
  const { world } = local.azure;
  const key = new TestKey(world);
  const { id } = key.account('pinned', { shares: ['share'] });

  await arm(local.azure, 'PATCH', id, { body: { tags: { a: 'b' } } });

  const authorization = `${key.vault.id}/providers/Microsoft.Authorization`;

  await arm(local.azure, 'PUT', `${authorization}/locks/keep`, { body: { properties: { level: 'CanNotDelete' } } });
  await arm(local.azure, 'PUT', `${authorization}/policyAssignments/p`, {
    body: { properties: { policyDefinitionId: '/providers/Microsoft.Authorization/policyDefinitions/d' } },
  });

  const full = await readAll(key, id);
  expect(full).toMatchObject({ locked: true, logged: true, writes: [expect.any(Object)] });

  for (const list of [full.accounts, full.shares, full.identities, full.grants, full.events, full.policies]) {
    expect(list).not.toEqual([]);
  }

  // Recorded likewise: an account that never had an identity, and a vault of the same api-version.
  const plain = world.storageAccounts.get('stplain01');
  if (!plain) throw new Error('The sample fleet has an account on Microsoft-managed keys.');

  plain.identity = { type: 'None' };
  delete key.vault.properties.enableSoftDelete;
  delete key.vault.properties.publicNetworkAccess;
  world.settings.sparseAnswers = true;

  expect(await readAll(key, id)).toEqual(full);
});

it('The SDK waits for the end of a DELETE in Event Grid by its Location header alone', async () => {
  const { world, owner, requests } = local.azure;

  Object.assign(world.settings, { sparseAnswers: true, instantProvisioning: false });

  const subscription = [...world.eventSubscriptions.values()].find(({ topic }) => topic.endsWith('/kv-records'));
  if (!subscription) throw new Error('The sample fleet has an event subscription of kv-records.');

  const credential = new ClientSecretCredential(TENANT_ID, CLIENT_IDS.owner, owner.AZURE_CLIENT_SECRET);
  const { eventSubscriptions } = new EventGridManagementClient(credential, SUBSCRIPTION_ID);

  await eventSubscriptions.beginDeleteAndWait(subscription.topic, subscription.name, { updateIntervalInMs: 1 });

  expect(world.eventSubscriptions.has(subscription.id.toLowerCase())).toBe(false);

  const polled = requests.since().filter(({ path }) => path.includes('/operationResults/'));
  expect(polled.at(-1)).toMatchObject({ method: 'GET', status: 204 });
});
