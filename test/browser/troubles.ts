import { addAccount, addKeyVersion } from '../../local/azure/fleet.ts';
import type { LocalAzure } from '../../local/azure/server.ts';
import type { World } from '../../local/azure/world.ts';
import type { Rotation } from '../../src/fleet/rotation-schemas.ts';
import { outsider } from '../drift/outsider.ts';
import type { App } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { group, storageIdentity, vaultNamed } from '../support/fleet.ts';
import { callApi } from './page-people.ts';

const HOUR = 3_600;

/** A key that expires within the hour, with two accounts on it. */
function addExpiring({ world }: LocalAzure): void {
  const vault = vaultNamed(world, 'kv-files');
  const version = addKeyVersion(world, vault, 'legacy-key', {
    exp: world.clock.nowSeconds() + HOUR,
    tags: { 'cmk-rotation': 'manual' },
  });
  for (const name of ['stlegacy01', 'stlegacy02']) {
    const key = { vault, keyName: 'legacy-key', mode: 'pinned' as const, version };
    addAccount(world, group(world), { name, identity: storageIdentity(world), key });
  }
}

/** Five troubles of one night: a role gone, an account locked, a key expired, events lost, an account pinned back. */
export async function makeTroubles(app: App): Promise<void> {
  const { world } = app.azure;
  const administrator = outsider(app.azure);
  addExpiring(app.azure);
  await app.advance(2 * HOUR * 1_000);

  const locked = accountNamed(world, 'starchive01');
  await administrator.arm('PUT', `${locked}/providers/Microsoft.Authorization/locks/audit`, {
    properties: { level: 'ReadOnly' },
  });
  await administrator.keys('kv-files').rotateKey('archive-key');

  const lost = [...world.eventSubscriptions.keys()].find((id) => /\/kv-files\/.*\/cmk-keynewversioncreated$/.test(id));
  if (lost === undefined) throw new Error('kv-files has no subscription to its new versions.');
  world.eventSubscriptions.delete(lost);

  const keys = administrator.keys('kv-files');
  const before = (await keys.getKey('files-key')).properties.version;
  await keys.rotateKey('files-key');
  const newest = (await keys.getKey('files-key')).properties.version;
  await checkNow(app);
  const pinned = () => administrator.storage.storageAccounts.getProperties('rg-files', 'stfiles01');
  for (let times = 0; times < 3; times += 1) {
    await eventually('stfiles01 is on the newest version', async () => {
      const { encryption } = await pinned();
      return encryption?.keyVaultProperties?.keyVersion === newest;
    });
    const { encryption } = await pinned();
    await administrator.storage.storageAccounts.update('rg-files', 'stfiles01', {
      encryption: {
        ...encryption,
        keyVaultProperties: { ...encryption?.keyVaultProperties, ...(before ? { keyVersion: before } : {}) },
      },
    });
  }

  await eventually('the lock is met', async () => {
    const answer = await callApi(app, 'operator', 'GET', '/rotations/kv-files/archive-key');
    return ((await answer.json()) as Rotation).failed === 1;
  });
  const { principalId } = storageIdentity(world);
  const vault = vaultNamed(world, 'kv-files');
  for await (const { id = '' } of administrator.roles.roleAssignments.listForScope(vault.id.slice(1), {
    filter: `assignedTo('${principalId}')`,
  })) {
    if (id.includes('/kv-files/')) await administrator.roles.roleAssignments.deleteById(id.slice(1));
  }
}

/** The drift check moves what no event told of. */
async function checkNow(app: App): Promise<void> {
  await (await callApi(app, 'operator', 'POST', '/drift')).text();
}

function accountNamed(world: World, name: string): string {
  const account = world.storageAccounts.get(name);
  if (!account) throw new Error(`There is no account ${name}.`);
  return account.id;
}
