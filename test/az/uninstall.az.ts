import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addSubscription } from '../../local/azure/fleet.ts';
import { asString, type JsonObject } from '../infra/arm/json.ts';
import { Deployed } from '../infra/deployed.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { Az } from './az.ts';

// infra/uninstall.sh with the real az: two apps in two subscriptions have environments of the same name. Each manages the
// vaults of its subscription, and the accounts of both. One app is uninstalled.
const local = useLocalAzure({ fleet: 'empty' });
const OTHER = '66666666-6666-6666-6666-666666666666';

const SCRIPT = fileURLToPath(new URL('../../infra/uninstall.sh', import.meta.url));
const subscriptions = `SUBSCRIPTIONS='${SUBSCRIPTION_ID} ${OTHER}'`;
const look = `VAULTS=kv-revoked sh '${SCRIPT}' look`;
const script = `${subscriptions} sh '${SCRIPT}' roles test`;

let az: Az;
let folder: string;
let ours: string;
let theirs: string;

const assignmentsOf = (principal: string) =>
  [...local.azure.world.roleAssignments.values()].filter(({ principalId }) => principalId === principal.toLowerCase());
const roles = () =>
  [...local.azure.world.roleDefinitions.values()].flatMap(({ type, roleName }) =>
    type === 'CustomRole' ? roleName : [],
  );

beforeAll(async () => {
  const { world } = local.azure;

  for (const subscriptionId of [SUBSCRIPTION_ID, OTHER]) {
    if (!world.subscriptions.has(subscriptionId)) addSubscription(world, { subscriptionId });
  }

  const deployed = new Deployed(local.azure);

  await deployed.group('rg-demo');

  const vault = asString((await deployed.run('demo', { administratorType: 'ServicePrincipal' })).vaultId, 'vault');
  const app = async (subscription: string, parameters: JsonObject): Promise<string> =>
    asString(
      (
        await deployed.run(
          'main',
          {
            environmentName: 'test',
            location: 'westeurope',
            managedVaults: [vault],
            storageSubscriptions: [SUBSCRIPTION_ID, OTHER],
            packageUri: 'https://example.com/app.zip',
            ...parameters,
          },
          subscription,
        )
      ).CMK_APP_PRINCIPAL_ID,
      'principal',
    );

  ours = await app(SUBSCRIPTION_ID, { allowBlobProbe: true });

  const [made] = world.systemTopics.values();

  theirs = await app(OTHER, { systemTopics: { [vault]: made?.id ?? '' } });

  az = new Az(local.azure.env);

  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = local.azure.owner;

  await az.text(`login --service-principal --username ${id} --password=${secret} --tenant ${tenant}`);
  folder = mkdtempSync(path.join(tmpdir(), 'cmk-uninstall-'));
  writeFileSync(path.join(folder, 'azd'), `#!/bin/sh\necho '${ours}'\n`, { mode: 0o755 });
});
afterAll(() => {
  az?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

describe('the first step of uninstalling', () => {
  it('The first step of uninstalling prints the revoked keys, and nothing else', async () => {
    const { world, owner } = local.azure;
    const [vault] = world.vaults.values();
    const [key] = vault?.keys.values() ?? [];
    const version = key?.versions[0];
    if (!vault || !key || !version) throw new Error('The demo has a key.');

    await az.text(
      `role assignment create --role "Key Vault Crypto Officer" --assignee ${owner.AZURE_CLIENT_ID} --scope ${vault.id}`,
    );

    const pasted = look.replace('kv-revoked', vault.name);
    expect(await az.script(pasted, folder)).toEqual({ code: 0, stdout: '', stderr: '' });

    // A version that an operator creates after a revocation has no record: what is revoked is one before it.
    await az.text(`keyvault key create --vault-name ${vault.name} --name ${key.name} --kty RSA --size 2048`);

    const record = 'a1b2c3d4e5f6 2026-11-26T00:00:00Z operator 1';

    version.tags = { 'cmk-revocation': record };

    expect(await az.script(pasted, folder)).toEqual({
      code: 0,
      stdout: `https://${vault.name}.vault.azure.net/keys/${key.name}/${version.version}\t${record}\n`,
      stderr: '',
    });

    version.tags = undefined;
  });
});

describe('the second step of uninstalling', () => {
  it('The second step of uninstalling deletes the event subscriptions at subscriptions that aim at the app, and no other', async () => {
    const { world } = local.azure;
    const type = 'Microsoft.EventGrid/eventSubscriptions';
    const watch = (name: string, subscription: string, app: string): string => {
      const id = `/subscriptions/${subscription}/providers/${type}/${name}`;
      const resourceId = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-cmk-test/providers/Microsoft.Web/sites/${app}/functions/resourceChanged`;
      const destination = { endpointType: 'AzureFunction', properties: { resourceId } };
      const properties = { destination, eventDeliverySchema: 'CloudEventSchemaV1_0', provisioningState: 'Succeeded' };
      world.eventSubscriptions.set(id.toLowerCase(), { id, name, topic: `/subscriptions/${subscription}`, properties });
      return id.toLowerCase();
    };

    const gone = [
      watch('cmk-func-ours-resourceChanged', SUBSCRIPTION_ID, 'func-ours'),
      watch('cmk-func-ours-resourceChanged', OTHER, 'func-ours'),
    ];

    const kept = watch('cmk-func-ours-2-resourceChanged', OTHER, 'func-ours-2');
    const events = `CMK_FUNCTION_APP_NAME=func-ours ${subscriptions} sh '${SCRIPT}' events test`;

    expect((await az.script(events, folder)).stderr).toBe('');
    expect([...gone, kept].filter((id) => world.eventSubscriptions.has(id))).toEqual([kept]);

    // The second time there is none.
    expect(await az.script(events, folder)).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});

describe('the third step of uninstalling', () => {
  it('The third step of uninstalling deletes the roles of one app, and keeps those of another with the same environment name', async () => {
    const before = { theirs: assignmentsOf(theirs), roles: roles() };

    expect(assignmentsOf(ours).length).toBeGreaterThan(5);

    const { stderr } = await az.script(script, folder);

    // Azure refuses to delete the definitions that the other app is assigned.
    expect(stderr.replaceAll(/^.*(RoleDefinitionHasAssignments|existing role assignments).*$/gm, '').trim()).toBe('');
    expect(assignmentsOf(ours)).toEqual([]);
    expect(assignmentsOf(theirs)).toEqual(before.theirs);

    const used = new Set(before.theirs.map(({ roleDefinitionId }) => roleDefinitionId.toLowerCase()));
    const left = [...local.azure.world.roleDefinitions.values()].filter(({ type }) => type === 'CustomRole');

    expect(left.filter(({ id }) => !used.has(id.toLowerCase()))).toEqual([]);
    expect(left.length).toBeGreaterThan(3);
    expect(before.roles.length).toBeGreaterThan(left.length);
  });

  it('The third step of uninstalling changes nothing the second time', async () => {
    const before = [assignmentsOf(theirs), roles()];
    await az.script(script, folder);
    expect([assignmentsOf(theirs), roles()]).toEqual(before);
  });
});
