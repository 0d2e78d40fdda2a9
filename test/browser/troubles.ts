import { addAccount, addKeyVersion } from '../../local/azure/fleet.ts';
import type { World } from '../../local/azure/world.ts';
import type { Rotation } from '../../src/fleet/rotation-schemas.ts';
import { outsider } from '../drift/outsider.ts';
import type { App } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { group, storageIdentity, vaultNamed } from '../support/fleet.ts';
import { callApi } from './page-people.ts';

const HOUR = 3_600;

/** A role is gone: that of the accounts' identity on kv-files. */
export async function takeRole(app: App): Promise<void> {
  const { world } = app.azure;
  const { roles } = outsider(app.azure);
  const { principalId } = storageIdentity(world);
  const vault = vaultNamed(world, 'kv-files');
  for await (const { id = '' } of roles.roleAssignments.listForScope(vault.id.slice(1), {
    filter: `assignedTo('${principalId}')`,
  })) {
    if (id.includes('/kv-files/')) await roles.roleAssignments.deleteById(id.slice(1));
  }
}

/** An account is locked, and its key is rotated: the move meets the lock. */
export async function lockAccount(app: App): Promise<void> {
  const administrator = outsider(app.azure);
  const locked = accountNamed(app.azure.world, 'starchive01');
  await administrator.arm('PUT', `${locked}/providers/Microsoft.Authorization/locks/audit`, {
    properties: { level: 'ReadOnly' },
  });
  await administrator.keys('kv-files').rotateKey('archive-key');
  await eventually('the lock is met', async () => {
    const answer = await callApi(app, 'operator', 'GET', '/rotations/kv-files/archive-key');
    return ((await answer.json()) as Rotation).failed === 1;
  });
}

/** A key with two accounts expires. */
export async function expireKey(app: App): Promise<void> {
  const { world } = app.azure;
  const vault = vaultNamed(world, 'kv-files');
  const version = addKeyVersion(world, vault, 'legacy-key', {
    exp: world.clock.nowSeconds() + HOUR,
    tags: { 'cmk-rotation': 'manual' },
  });
  for (const name of ['stlegacy01', 'stlegacy02']) {
    const key = { vault, keyName: 'legacy-key', mode: 'pinned' as const, version };
    addAccount(world, group(world), { name, identity: storageIdentity(world), key });
  }
  await app.advance(2 * HOUR * 1_000);
}

/** The subscription of kv-files to its new versions is gone. */
export async function loseEvents({ azure: { world } }: App): Promise<void> {
  const lost = [...world.eventSubscriptions.keys()].find((id) => /\/kv-files\/.*\/cmk-keynewversioncreated$/.test(id));
  if (lost === undefined) throw new Error('kv-files has no subscription to its new versions.');
  world.eventSubscriptions.delete(lost);
}

/** An account is pinned back three times, after each repair. */
export async function pinBack(app: App): Promise<void> {
  const administrator = outsider(app.azure);
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
}

/** Five troubles of one night: a role gone, an account locked, a key expired, events lost, an account pinned back. */
export async function makeTroubles(app: App): Promise<void> {
  await expireKey(app);
  await lockAccount(app);
  await loseEvents(app);
  await pinBack(app);
  await takeRole(app);
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
