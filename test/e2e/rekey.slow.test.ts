import { BlobServiceClient } from '@azure/storage-blob';
import { expect, it } from 'vitest';
import { grantApp } from '../../local/azure/app-setup.ts';
import { benchFleet } from '../../local/azure/bench-fleet.ts';
import {
  addAccount,
  addIdentity,
  addKeyVersion,
  addResourceGroup,
  addVault,
  allowStorage,
} from '../../local/azure/fleet.ts';
import type { EncryptionScope, StorageAccount, Vault } from '../../local/azure/world.ts';
import { AUDIT_CONTAINER } from '../../src/audit/container-name.ts';
import { tokenOf } from '../break-glass/running-app.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';

// A re-key of 200 accounts ends as ordered, nothing half: killed, paused, resumed, and taken back.

const PINNED = 170;
const KEY = 'bench-key';
const NEW_KEY = 'new-key';

interface Fleet {
  readonly vault: Vault;
  readonly other: Vault;
  readonly accounts: readonly StorageAccount[];
}

let fleet: Fleet | undefined;
const app = useApp({
  settings: { throttle: true },
  prepare({ world }) {
    const made = benchFleet(world, {
      accounts: PINNED,
      subscriptions: 2,
      regions: ['westeurope', 'northeurope', 'uksouth'],
    });
    const [subscription] = world.subscriptions.values();
    if (!subscription) throw new Error('There is no subscription.');
    const group = addResourceGroup(world, subscription, 'rg-rekey');
    const other = addVault(world, group, 'kv-bench-new');
    addKeyVersion(world, other, NEW_KEY);
    grantApp(world, { vaults: [other], subscriptions: [subscription] });
    const identity = addIdentity(world, group, 'id-rekey');
    for (const vault of [made.vault, other]) allowStorage(world, vault, identity.principalId);
    for (const { principalId } of world.identities.values()) allowStorage(world, other, principalId);
    const key = { vault: made.vault, keyName: KEY };
    const more = Array.from({ length: 200 - PINNED }, (_, n) =>
      addAccount(world, group, {
        name: `strekey${n}`,
        identity,
        key: { ...key, mode: n % 2 === 0 ? 'automatic' : 'pinned' },
        ...(n < 5
          ? {
              scopes: [
                { name: 'one', key: { ...key, mode: 'pinned' } },
                { name: 'two', key: { ...key, mode: 'automatic' } },
              ],
            }
          : {}),
      }),
    );
    fleet = { vault: made.vault, other, accounts: [...made.accounts, ...more] };
  },
  env: () => ({ CMK_VAULTS: [fleet?.vault.id, fleet?.other.id].join(',') }),
});

const uses = (account: StorageAccount) => account.encryption.keyvaultproperties;
const scopesOf = ({ encryptionScopes }: StorageAccount): readonly EncryptionScope[] => [...encryptionScopes.values()];

interface Status {
  readonly order: {
    readonly id: string;
    readonly state: string;
    readonly paused?: unknown;
    readonly verified?: unknown;
  };
  readonly progress: { readonly moved: number; readonly failed: number; readonly waiting: number };
}

async function call(path: string, method = 'GET', body?: unknown): Promise<{ status: number; body: Status }> {
  const response = await fetch(`${app.url}/api/rekeys${path}`, {
    method,
    headers: { authorization: `Bearer ${tokenOf(app.azure, 'operator')}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Status };
}

/** Whether every account and scope is on that key, in the mode that it had. */
function allOn(vault: Vault, keyName: string, { accounts }: Fleet, modes: ReadonlyMap<string, boolean>): boolean {
  return accounts.every((account) => {
    const use = uses(account);
    const isPinned = Boolean(use?.keyversion);
    const own =
      use?.keyname === keyName && use.keyvaulturi?.includes(vault.name) && isPinned === modes.get(account.name);
    const ofScopes = scopesOf(account).every(({ keyVaultProperties }) =>
      keyVaultProperties?.keyUri.includes(`${vault.name}.vault.azure.net/keys/${keyName}`),
    );
    return Boolean(own) && ofScopes;
  });
}

async function records(): Promise<{ action: string; reason: string; resource: string; details: { scope?: string } }[]> {
  const audit = BlobServiceClient.fromConnectionString(app.connectionString).getContainerClient(AUDIT_CONTAINER);
  const found: string[] = [];
  for await (const { name } of audit.listBlobsFlat()) {
    found.push(...(await audit.getBlobClient(name).downloadToBuffer()).toString().split('\n').filter(Boolean));
  }
  return found.map((line) => JSON.parse(line).entry).filter(Boolean);
}

it('moves 200 accounts and their scopes to another vault and back, killed, paused and resumed on the way', async () => {
  if (!fleet) throw new Error('There is no fleet.');
  const { accounts, vault, other } = fleet;
  const all = fleet;
  const modes = new Map(accounts.map((account) => [account.name, Boolean(uses(account)?.keyversion)]));
  const moved = () => accounts.filter((account) => uses(account)?.keyname === NEW_KEY).length;
  const order = { from: `${vault.name}/${KEY}`, to: `${other.name}/${NEW_KEY}`, reason: 'The key has leaked' };

  const checked = await call('?dryRun=true', 'POST', order);
  expect(checked).toMatchObject({ status: 200, body: { problems: [], accounts: 200, withoutRole: [] } });
  expect(moved()).toBe(0);
  const started = await call('', 'POST', order);
  expect(started.status).toBe(202);
  const id = started.body.order.id;
  expect((await call('', 'POST', order)).status).toBe(409);

  for (const many of [3, 20]) {
    await eventually(`${many} have moved`, () => moved() >= many, 180_000);
    await app.kill();
    await app.start();
  }
  await eventually('60 have moved', () => moved() >= 60, 180_000);
  expect((await call(`/${id}/pause`, 'POST', { reason: 'Lunch' })).status).toBe(200);
  await app.settled(120_000);
  const atPause = moved();
  expect(atPause).toBeLessThan(200);
  expect((await call(`/${id}`)).body).toMatchObject({ order: { state: 'moving', paused: { why: 'Lunch' } } });
  expect((await call(`/${id}/resume`, 'POST', { reason: 'Back' })).status).toBe(200);
  await eventually('it is done', async () => (await call(`/${id}`)).body.order.state === 'done', 300_000);
  expect(allOn(other, NEW_KEY, all, modes)).toBe(true);
  expect((await call(`/${id}`)).body).toMatchObject({ progress: { moved: 210, failed: 0, waiting: 0 } });

  expect((await call(`/${id}?reason=It%20was%20a%20false%20alarm`, 'DELETE')).status).toBe(202);
  await eventually('30 are back', () => moved() <= 170, 180_000);
  await app.kill();
  await app.start();
  await eventually('it is taken back', async () => (await call(`/${id}`)).body.order.state === 'takenBack', 300_000);
  expect(allOn(vault, KEY, all, modes)).toBe(true);
  await app.settled(120_000);
  expect(await app.count('account-work-poison')).toBe(0);
  expect(await app.count('key-work-poison')).toBe(0);

  // Each move is on record once, there and back.
  const proofs = (await records()).filter(({ action }) => action === 'account.rekey');
  expect(proofs.length).toBe(2 * 210);
  expect(new Set(proofs.map(({ resource, details }) => `${resource} ${details.scope}`)).size).toBe(210);
}, 900_000);
