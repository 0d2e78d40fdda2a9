import { BlobServiceClient } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';
import { beforeAll, describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addSubscription } from '../../local/azure/fleet.ts';
import type { World } from '../../local/azure/world.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { createServices } from '../../src/services.ts';
import { useAzurite } from '../support/azurite.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { asString, type JsonObject } from './arm/json.ts';
import { Deployed, subscriptionsSeen } from './deployed.ts';

// As the deploy button and Terraform have it: the main template and nothing else, twice, to a local Azure in which the vault
// has a system topic already, in another subscription. The app makes its event subscriptions itself, with the settings, the
// identity and the rights that the template gave it.
const local = useLocalAzure({ fleet: 'empty' });
const azurite = useAzurite();
const THEIRS = '66666666-6666-6666-6666-666666666666';

let deployed: Deployed;
let vault: string;
const world = (): World => local.azure.world;

const theirTopic = async (resourceGroup: string): Promise<string> =>
  deployed.theirTopic(vault, await deployed.group(resourceGroup, THEIRS), 'theirs');

const deployAlone = (topic: string): Promise<JsonObject> =>
  deployed.run('main', {
    environmentName: 'test',
    location: 'westeurope',
    managedVaults: [vault],
    systemTopics: { [vault]: topic },
    packageUri: 'https://example.com/app.zip',
  });

const settings = (): Record<string, string> => ({
  ...deployed.settings(),
  AzureWebJobsStorage: azurite.connectionString,
  CMK_WORK: azurite.connectionString,
  // The app's own topic of the subscription is not what this is about.
  CMK_WATCH_CHANGES: 'off',
});

/** A drift check of the app: what it fixed, and what it then thinks of its event subscriptions. */
async function check() {
  const report = await runDriftCheck({ id: 'alone', by: 'operator' }, createServices(settings()), () => {});
  const fixes = report.fixes.map(({ reason, outcome }) => [reason, outcome]);
  return { fixes, ...(await subscriptionsSeen(settings(), vault)) };
}

beforeAll(async () => {
  for (const subscriptionId of [SUBSCRIPTION_ID, THEIRS])
    if (!world().subscriptions.has(subscriptionId)) addSubscription(world(), { subscriptionId });
  deployed = new Deployed(local.azure);
  await deployed.group('rg-demo');
  vault = asString((await deployed.run('demo', {})).vaultId, 'vault');
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
    const named = (type: string) =>
      deployed.target.elsewhere.ofType(type).map(({ id }) => id.slice(id.lastIndexOf('/') + 1));
    const queues = QueueServiceClient.fromConnectionString(azurite.connectionString);
    for (const one of named('Microsoft.Storage/storageAccounts/queueServices/queues')) await queues.createQueue(one);
    const blobs = BlobServiceClient.fromConnectionString(azurite.connectionString);
    for (const one of named('Microsoft.Storage/storageAccounts/blobServices/containers'))
      await blobs.createContainer(one);

    const checked = await check();
    expect(checked.fixes).toEqual(allMade);
    expectInPlace(topic, checked);
  });
});
