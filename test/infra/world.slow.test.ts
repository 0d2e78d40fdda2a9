import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientSecretCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import { BlobServiceClient } from '@azure/storage-blob';
import { QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployCode } from '../../local/azure/app-setup.ts';
import { recoverVault, softDeleteVault } from '../../local/azure/arm/vault-deletion.ts';
import { CLIENT_IDS, SUBSCRIPTION_ID, TENANT_ID } from '../../local/azure/constants.ts';
import { addSubscription } from '../../local/azure/fleet.ts';
import { isAllowed } from '../../local/azure/roles.ts';
import type { World } from '../../local/azure/world.ts';
import { freePort } from '../../local/run/free-port.ts';
import { bundle } from '../../scripts/bundle.ts';
import { topicsByVault } from '../../scripts/infra/find-topics.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { readBlastRadius } from '../../src/key-users/blast-radius.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { createServices } from '../../src/services.ts';
import { useAzurite } from '../support/azurite.ts';
import { type Child, startChild } from '../support/child.ts';
import { eventually } from '../support/eventually.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { asString, type JsonObject } from './arm/json.ts';
import { eventValues, mainOutputs } from './arm/templates.ts';
import { Deployed, subscriptionsSeen } from './deployed.ts';

// The templates as they are committed, deployed to an empty local Azure, and the app started with the settings and the
// identity that they give it: do infrastructure and app agree? Roles are enforced all along.
let host: string | undefined;
const local = useLocalAzure({ fleet: 'empty', functionsHost: () => host });
const azurite = useAzurite();
const work = useAzurite();

let folder: string;
let child: Child;
let deployed: Deployed;
let demo: JsonObject;
let main: JsonObject;
let settings: Record<string, string>;

const world = (): World => local.azure.world;
const owner = () => new ClientSecretCredential(TENANT_ID, CLIENT_IDS.owner, local.azure.owner.AZURE_CLIENT_SECRET);

/** The existing system topics, as the deployment finds them before it starts. */
const topics = () =>
  [...world().systemTopics.values()].map(({ id, name, source }) => ({ id, name, properties: { source } }));

const mainValues = (): JsonObject => {
  const vault = asString(demo.vaultId, 'vault');

  return {
    environmentName: 'test',
    location: 'westeurope',
    managedVaults: [vault],
    systemTopics: topicsByVault([vault], topics()),
    apiClientId: '44444444-4444-4444-4444-444444444444',
    allowEffectProbe: true,
    allowBlobProbe: true,
  };
};

/** Everything, in the order in which docs/how-to/deploy-azd.md has it. */
async function deployAll(): Promise<void> {
  await deployed.group('rg-demo');
  demo = await deployed.run('demo', { administratorType: 'ServicePrincipal' });
  main = await deployed.run('main', mainValues());
  const [site] = deployed.target.elsewhere.ofType('Microsoft.Web/sites');
  deployCode(world(), site?.id ?? '');
  await deployed.run('events', eventValues(mainOutputs(main), topics()));
}

beforeAll(async () => {
  if (!world().subscriptions.has(SUBSCRIPTION_ID)) addSubscription(world(), { subscriptionId: SUBSCRIPTION_ID });

  deployed = new Deployed(local.azure);
  await deployAll();

  // Queues and containers by the names in the template; an Azurite stands in for the storage account of each zone.
  const named = (type: string, account = /stcmk/) =>
    deployed.target.elsewhere
      .ofType(type)
      .filter(({ id }) => account.test(id))
      .map(({ id }) => id.slice(id.lastIndexOf('/') + 1));

  const queues = QueueServiceClient.fromConnectionString(work.connectionString);

  for (const queue of named('Microsoft.Storage/storageAccounts/queueServices/queues')) await queues.createQueue(queue);

  for (const [zone, account] of [
    [azurite, /stcmk(?!w)/],
    [work, /stcmkw/],
  ] as const) {
    const blobs = BlobServiceClient.fromConnectionString(zone.connectionString);
    for (const name of named('Microsoft.Storage/storageAccounts/blobServices/containers', account)) {
      await blobs.createContainer(name);
    }
  }

  settings = deployed.settings();
  folder = mkdtempSync(join(tmpdir(), 'cmk-world-'));

  const { folder: app } = await bundle({ outDir: join(folder, 'app'), zip: false });
  const port = await freePort(0);

  child = startChild(join(import.meta.dirname, '../../local/host/main.ts'), ['--app', app], {
    ...local.azure.env,
    ...settings,
    ...storage(),
    PORT: String(port),
  });

  await child.says(/^host ready /m);
  host = `http://127.0.0.1:${port}`;
});

afterAll(async () => {
  child?.process.kill('SIGTERM');
  await child?.exit;
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const storage = () => ({ AzureWebJobsStorage: azurite.connectionString, CMK_WORK: work.connectionString });
const encryptionOf = (name: string) => world().storageAccounts.get(name)?.encryption;
const keyOf = (name: string) => encryptionOf(name)?.keyvaultproperties;
const accounts = (): [automatic: string, pinned: string] => demo.accountNames as [string, string];

describe('the templates, deployed to the local Azure', () => {
  it('The deployed templates create the world of the article: a vault, a key, an identity with its role, accounts that use the key', () => {
    const vault = world().vaults.get(asString(demo.vaultId, 'vault').split('/').at(-1) ?? '');
    expect(vault?.properties.enablePurgeProtection).toBe(true);
    const [automatic, pinned] = accounts();
    expect(keyOf(automatic)?.keyversion).toBe('');
    expect(keyOf(pinned)).toMatchObject({ keyname: 'files-key', keyversion: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(encryptionOf(pinned)?.keySource).toBe('Microsoft.Keyvault');
  });

  it('The deployed templates are valid for the app, which reads them with its own identity', async () => {
    const { read, verdicts } = await subscriptionsSeen(settings, asString(demo.vaultId, 'vault'));
    expect(read.topicUnreadable).toBeUndefined();
    expect(read.topic?.name).toMatch(/^evgt-kv-cmk-demo-/);
    expect(verdicts.map((verdict) => ('differences' in verdict ? verdict.differences : verdict.is))).toEqual([
      'right',
      'right',
      'right',
    ]);
  });

  it('The deployed templates let a rotation reach every account, with only the rights and settings that they give', async () => {
    const [automatic, pinned] = accounts();
    const before = keyOf(pinned)?.keyversion;
    const keys = new KeyClient(`https://${asString(demo.vaultId, 'vault').split('/').at(-1)}.vault.azure.net`, owner());
    const rotated = await keys.rotateKey('files-key');

    expect(rotated.properties.version).not.toBe(before);

    await eventually(
      'the pinned account on the new version',
      () => keyOf(pinned)?.keyversion === rotated.properties.version,
    );
    await eventually('the automatic account on the new version', () =>
      String(keyOf(automatic)?.currentVersionedKeyIdentifier).endsWith(`/${rotated.properties.version}`),
    );

    expect(keyOf(automatic)?.keyversion).toBe('');
    expect(child.output()).not.toContain('"level":"error"');

    // In the control zone, neither queues nor leases nor the index were made.
    const queues = QueueServiceClient.fromConnectionString(azurite.connectionString).listQueues();
    expect((await queues.next()).done).toBe(true);

    const control = BlobServiceClient.fromConnectionString(azurite.connectionString);
    expect(await control.getContainerClient('cmk-leases').exists()).toBe(false);

    const leases = BlobServiceClient.fromConnectionString(work.connectionString).getContainerClient('cmk-leases');
    expect((await leases.listBlobsFlat().next()).done).toBe(false);
  });

  it('The deployed templates let the drift check read everything, and a revocation everything that it would stop', async () => {
    const services = createServices({ ...settings, ...storage() });
    const report = await runDriftCheck({ id: 'world', by: 'operator' }, services, () => {});

    expect(report.findings.filter(({ reason }) => reason === 'Unreadable')).toEqual([]);

    // The app's own two storage accounts are in the subscription.
    expect(report.coverage).toMatchObject({ accounts: 4, dependents: 2, keys: 1 });

    // Every principal with a role on the vault was read.
    expect(report.findings.map(({ reason }) => reason)).not.toContain('IdentityHasNoAccess');

    const vault = services.settings.vaults.byId(asString(demo.vaultId, 'vault'));
    if (!vault) throw new Error('the settings do not name the vault');

    const radius = await readBlastRadius(createManagedKey(vault, 'files-key'), services);
    expect(radius.accounts.flatMap(({ shares }) => shares.map(({ name }) => name))).toEqual(['demo', 'demo']);
    expect(radius).toMatchObject({ complete: true, unread: [] });
  });

  it('The deployed templates repair in a second run what happened to the first: a deleted role, a recovered vault, a foreign topic', async () => {
    const vaultId = asString(demo.vaultId, 'vault');
    const name = vaultId.slice(vaultId.lastIndexOf('/') + 1);
    const vault = world().vaults.get(name);
    if (!vault) throw new Error('no vault');

    for (const [id, { roleName }] of world().roleDefinitions) {
      if (/vault operator|topic reader/.test(roleName)) world().roleDefinitions.delete(id);
    }

    // Key Vault brings back neither the roles on a vault nor its event subscriptions.
    softDeleteVault(world(), vault);
    recoverVault(world(), name);

    const theirs = await deployed.theirTopic(vaultId, await deployed.group('rg-theirs'), 'their-topic');
    const principal = asString(main.CMK_APP_PRINCIPAL_ID, 'principal');
    const mayRotate = () =>
      isAllowed(world(), principal, vaultId, 'Microsoft.KeyVault/vaults/keys/rotate/action', 'dataAction');

    expect(mayRotate()).toBe(false);

    await deployAll();

    expect(mayRotate()).toBe(true);
    expect([...world().systemTopics.values()]).toMatchObject([{ id: theirs, identity: { type: 'SystemAssigned' } }]);

    // Both the running app with the old settings and a new one with the new settings see the topic.
    for (const from of [settings, deployed.settings()]) {
      const { read, verdicts } = await subscriptionsSeen(from, vaultId);
      expect(read).toMatchObject({
        topicUnreadable: undefined,
        topic: { resourceGroup: 'rg-theirs', identity: 'system' },
      });
      expect(verdicts.map(({ is }) => is)).toEqual(['right', 'right', 'right']);
    }

    expect(JSON.parse(deployed.settings().CMK_SYSTEM_TOPICS ?? '')).toEqual({ [vaultId.toLowerCase()]: theirs });

    // And all of it works: events of the new topic reach the app, which may move what it has to.
    const keys = new KeyClient(`https://${name}.vault.azure.net`, owner());
    const rotated = await keys.rotateKey('files-key');
    const [, pinned] = accounts();

    await eventually(
      'the pinned account on the new version',
      () => keyOf(pinned)?.keyversion === rotated.properties.version,
    );
  });

  it('The deployed templates let the app create its event subscriptions, on that topic too, where only the template was deployed', async () => {
    const vaultId = asString(demo.vaultId, 'vault');

    world().eventSubscriptions.clear();
    await deployed.run('main', { ...mainValues(), packageUri: 'https://example.com/app.zip' });

    // The app's own topic of the subscription is not what this is about.
    const services = createServices({ ...deployed.settings(), ...storage(), CMK_WATCH_CHANGES: 'off' });
    const { fixes } = await runDriftCheck({ id: 'alone', by: 'operator' }, services, () => {});

    expect(fixes.map(({ reason, outcome }) => [reason, outcome])).toEqual(
      Array(3).fill(['EventSubscriptionMissing', 'done']),
    );

    const { read, verdicts } = await subscriptionsSeen(deployed.settings(), vaultId);
    expect([read.topic?.resourceGroup, ...verdicts.map(({ is }) => is)]).toEqual([
      'rg-theirs',
      ...Array(3).fill('right'),
    ]);

    for (const { properties } of world().eventSubscriptions.values()) {
      expect(properties.deadLetterWithResourceIdentity).toMatchObject({ identity: { type: 'SystemAssigned' } });
    }
  });
});
