import { ManagedIdentityCredential } from '@azure/identity';
import { BlobServiceClient } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';
import { beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_IDS, SUBSCRIPTION_ID, TENANT_ID } from '../../local/azure/constants.ts';
import { addSubscription } from '../../local/azure/fleet.ts';
import type { World } from '../../local/azure/world.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { createEventGrid } from '../../src/events/event-grid-client.ts';
import { judgeSubscriptions, wantedSubscriptions } from '../../src/events/subscription.ts';
import { createServices } from '../../src/services.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { useAzurite } from '../support/azurite.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { deploy } from './arm/deploy.ts';
import { asObject, asString, type JsonObject } from './arm/json.ts';
import { LocalTarget } from './arm/local-target.ts';
import { type TemplateName, template } from './arm/templates.ts';

// As the deploy button and Terraform have it: the main template and nothing else, twice, to a local Azure in which the vault
// has a system topic already, in another subscription. The app makes its event subscriptions itself, with the settings, the
// identity and the rights that the template gave it.
const local = useLocalAzure({ fleet: 'empty' });
const azurite = useAzurite();
const THEIRS = '66666666-6666-6666-6666-666666666666';

let target: LocalTarget;
let vault: string;
const world = (): World => local.azure.world;

const run = (name: TemplateName, parameters: JsonObject): Promise<JsonObject> =>
  deploy(
    {
      template: template(name),
      parameters,
      scope: { subscriptionId: SUBSCRIPTION_ID, resourceGroup: name === 'demo' ? 'rg-demo' : undefined },
      location: 'westeurope',
      tenantId: TENANT_ID,
      deployerId: world().principals.get(CLIENT_IDS.owner)?.objectId ?? '',
    },
    target,
  );

async function group(id: string): Promise<string> {
  const type = 'Microsoft.Resources/resourceGroups';
  await target.put({ id, type, apiVersion: '2024-03-01', body: { location: 'westeurope' } });
  return id;
}

/** A system topic of the vault as somebody else makes it: with a tag, and no identity. */
async function theirTopic(resourceGroup: string): Promise<string> {
  const id = `${await group(`/subscriptions/${THEIRS}/resourceGroups/${resourceGroup}`)}/providers/Microsoft.EventGrid/systemTopics/theirs`;
  const properties = { source: vault, topicType: 'Microsoft.KeyVault.vaults' };
  await target.put({
    id,
    type: 'Microsoft.EventGrid/systemTopics',
    apiVersion: '2025-02-15',
    body: { location: 'westeurope', tags: { owner: 'them' }, properties },
  });
  return id;
}

const deployAlone = (topic: string): Promise<JsonObject> =>
  run('main', {
    environmentName: 'test',
    location: 'westeurope',
    managedVaults: [vault],
    systemTopics: { [vault]: topic },
    packageUri: 'https://example.com/app.zip',
  });

/** The settings that the template gave the app last. */
function settings(): Record<string, string> {
  const written = target.elsewhere
    .ofType('Microsoft.Web/sites/config')
    .findLast(({ id }) => id.endsWith('/appsettings'));
  const given = asObject(written?.body.properties, 'app settings') as Record<string, string>;
  return { ...given, AzureWebJobsStorage: azurite.connectionString };
}

/** A drift check of the app: what it fixed, and what it then thinks of its event subscriptions. */
async function check() {
  const report = await runDriftCheck({ id: 'alone', by: 'operator' }, createServices(settings()), () => {});
  const { cloud, vaults, clientId, drift } = readSettings(settings());
  const managed = vaults.byId(vault);
  if (!managed || !drift.functionAppId) throw new Error('the settings name neither the vault nor the app');
  const identity = new ManagedIdentityCredential({ clientId: clientId ?? '' });
  const read = await createEventGrid(identity, cloud, drift.systemTopics).read(managed);
  const { functionAppId, storageAccountId } = drift;
  return {
    fixes: report.fixes.map(({ reason, outcome }) => [reason, outcome]),
    read,
    verdicts: judgeSubscriptions(wantedSubscriptions({ functionAppId, storageAccountId }), read.subscriptions),
  };
}

beforeAll(async () => {
  for (const subscriptionId of [SUBSCRIPTION_ID, THEIRS])
    if (!world().subscriptions.has(subscriptionId)) addSubscription(world(), { subscriptionId });
  target = new LocalTarget(local.azure);
  await group(`/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-demo`);
  vault = asString((await run('demo', {})).vaultId, 'vault');
});

/** Three event subscriptions on that topic, right in every respect, dead letters as the topic itself; its tag is kept. */
function expectInPlace(topic: string, { read, verdicts }: Awaited<ReturnType<typeof check>>): void {
  expect(read.topicUnreadable).toBeUndefined();
  expect(read.topic).toMatchObject({ subscriptionId: THEIRS, resourceGroup: topic.split('/')[4], identity: 'system' });
  expect(verdicts.map((one) => ('differences' in one ? one.differences : one.is))).toEqual(Array(3).fill('right'));
  expect([...world().systemTopics.values()]).toMatchObject([{ id: topic, tags: { owner: 'them' } }]);
  const made = [...world().eventSubscriptions.entries()];
  expect(made.map(([id]) => id.startsWith(`${topic.toLowerCase()}/`))).toEqual([true, true, true]);
  for (const [, { properties }] of made)
    expect(properties.deadLetterWithResourceIdentity).toMatchObject({ identity: { type: 'SystemAssigned' } });
}

describe('the template alone, where the vault has a system topic in another subscription', () => {
  const allMade = Array(3).fill(['EventSubscriptionMissing', 'done']);
  let topic: string;

  it('lets the app make its event subscriptions on that topic', async () => {
    topic = await theirTopic('rg-theirs');
    await deployAlone(topic);
    // Queues and containers by the names in the template; Azurite stands in for the storage account.
    const named = (type: string) => target.elsewhere.ofType(type).map(({ id }) => id.slice(id.lastIndexOf('/') + 1));
    const queues = QueueServiceClient.fromConnectionString(azurite.connectionString);
    for (const one of named('Microsoft.Storage/storageAccounts/queueServices/queues')) await queues.createQueue(one);
    const blobs = BlobServiceClient.fromConnectionString(azurite.connectionString);
    for (const one of named('Microsoft.Storage/storageAccounts/blobServices/containers'))
      await blobs.createContainer(one);

    const checked = await check();
    expect(checked.fixes).toEqual(allMade);
    expectInPlace(topic, checked);
  }, 60_000);

  it('changes nothing when it is applied again', async () => {
    const count = () =>
      [
        world().eventSubscriptions,
        world().systemTopics,
        world().roleAssignments,
        world().roleDefinitions,
        world().identities,
      ].map(({ size }) => size);
    const before = count();
    await deployAlone(topic);
    expect(count()).toEqual(before);
    const checked = await check();
    expect(checked.fixes).toEqual([]);
    expectInPlace(topic, checked);
  }, 60_000);

  it('mends by a second run what became of the first: the rights on the topic and its identity gone', async () => {
    const found = world().systemTopics.get(topic.toLowerCase());
    if (!found) throw new Error('no topic');
    delete found.identity;
    for (const id of world().roleAssignments.keys())
      if (id.toLowerCase().startsWith(topic.toLowerCase())) world().roleAssignments.delete(id);
    world().eventSubscriptions.clear();
    expect((await check()).fixes).not.toEqual(allMade);

    await deployAlone(topic);
    const checked = await check();
    expect(checked.fixes).toEqual(allMade);
    expectInPlace(topic, checked);
  }, 60_000);

  it('follows a topic that somebody deleted and made again elsewhere', async () => {
    world().systemTopics.clear();
    world().eventSubscriptions.clear();
    topic = await theirTopic('rg-elsewhere');
    // The app looks where it was told, and in the subscription of the vault: here it finds none. That is no refusal.
    expect((await check()).read).toMatchObject({ topic: undefined, topicUnreadable: undefined });
    // And what it then puts on the vault itself is not what this is about.
    world().eventSubscriptions.clear();

    await deployAlone(topic);
    const checked = await check();
    expect(checked.fixes).toEqual(allMade);
    expectInPlace(topic, checked);
  }, 60_000);
});
