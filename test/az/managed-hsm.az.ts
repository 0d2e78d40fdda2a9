import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APP_LOCAL_ROLES } from '../../local/azure/app-setup.ts';
import { verifyAccount } from '../../src/cli/procedures/account/account-verify.ts';
import { grantAccess } from '../../src/identities/grant-access.ts';
import { ENCRYPTION_USER } from '../../src/identities/key-roles.ts';
import type { ManagedVault } from '../../src/keys/managed-vaults.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { Procedures } from '../support/procedures.ts';
import { Az } from './az.ts';

/**
 * The Azure CLI procedures of the article "Configure customer-managed keys for Azure Files" as far as they apply to a
 * Managed HSM, by the real az on the sample fleet's HSM.
 */
const app = useLocalAzure({ fleet: 'sample' });

const HSM = 'hsm-local';
const URI = `https://${HSM}.managedhsm.azure.net`;
const KEY = 'vault-key';
let az: Az;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'cmk-hsm-'));
  az = new Az(app.azure.env);
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = app.azure.owner;
  await az.text(`login --service-principal --username ${id} --password=${secret} --tenant ${tenant}`);
});
afterAll(() => {
  az?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Shown {
  readonly key: { readonly kid: string; readonly kty: string };
}

describe('the Managed HSM itself', () => {
  it('A Managed HSM has its own local roles', async () => {
    const roles = await az.json<{ roleName: string }[]>(`keyvault role definition list --hsm-name ${HSM}`);
    expect(roles.map(({ roleName }) => roleName)).toEqual(
      expect.arrayContaining([
        'Managed HSM Crypto User',
        'Managed HSM Crypto Service Encryption User',
        'CMK Autopilot',
      ]),
    );

    const file = path.join(folder, 'role.json');
    const dataActions = ['read', 'write', 'rotate'].map(
      (action) => `Microsoft.KeyVault/managedHsm/keys/${action}/action`,
    );

    writeFileSync(file, JSON.stringify({ roleName: 'Mine', description: 'Mine', dataActions }));

    const made = await az.json<{ roleName: string }>(
      `keyvault role definition create --hsm-name ${HSM} --role-definition ${file}`,
    );
    expect(made.roleName).toBe('Mine');

    const identity = await az.json<{ principalId: string }>(
      'identity create --name id-hsm --resource-group rg-vault --location westeurope',
    );
    const assigned = await az.json<{ principalId: string; scope: string }>(
      `keyvault role assignment create --hsm-name ${HSM} --role "Managed HSM Crypto Service Encryption User" --assignee-object-id ${identity.principalId} --assignee-principal-type ServicePrincipal --scope /keys/${KEY}`,
    );

    expect(assigned).toMatchObject({ principalId: identity.principalId, scope: `/keys/${KEY}` });

    const all = await az.json<unknown[]>(`keyvault role assignment list --hsm-name ${HSM} --scope /keys/${KEY}`);
    expect(all).toHaveLength(1);

    await az.text(
      `keyvault role assignment delete --hsm-name ${HSM} --assignee-object-id ${identity.principalId} --role "Managed HSM Crypto Service Encryption User" --scope /keys/${KEY}`,
    );

    expect(await az.json<unknown[]>(`keyvault role assignment list --hsm-name ${HSM} --scope /keys/${KEY}`)).toEqual(
      [],
    );
  });
});

describe('Step 2: create an encryption key', () => {
  it('az creates an RSA-HSM key, and sets the rotation policy that an HSM needs', async () => {
    const key = await az.json<Shown>(
      `keyvault key create --hsm-name ${HSM} --name article-key --kty RSA-HSM --size 2048`,
    );
    expect(key.key.kty).toBe('RSA-HSM');

    const without = await az.run(`keyvault key rotate --hsm-name ${HSM} --name article-key`);
    expect(without.code).not.toBe(0);

    const file = path.join(folder, 'policy.json');

    writeFileSync(
      file,
      JSON.stringify({
        lifetimeActions: [{ trigger: { timeAfterCreate: 'P18M' }, action: { type: 'Rotate' } }],
        attributes: { expiryTime: 'P2Y' },
      }),
    );

    await az.json(`keyvault key rotation-policy update --hsm-name ${HSM} --name article-key --value ${file}`);
    await az.json(`keyvault key rotate --hsm-name ${HSM} --name article-key`);

    expect(await az.json<unknown[]>(`keyvault key list-versions --hsm-name ${HSM} --name article-key`)).toHaveLength(2);

    const keys = await az.json<{ name: string }[]>(`keyvault key list --hsm-name ${HSM}`);
    expect(keys.map(({ name }) => name)).toEqual(['article-key', KEY]);
  });
});

describe('Step 4 and 5: configure customer-managed keys, and verify', () => {
  it('az encrypts an existing account with a key of a Managed HSM', async () => {
    const identity = await az.text('identity show --name id-storage --resource-group rg-files --query id -o tsv');
    const create = `storage account create --name stvaultaz --resource-group rg-vault --location westeurope --sku Standard_LRS --identity-type UserAssigned --user-identity-id ${identity}`;
    await az.json(create);
    await az.json(
      `storage account update --name stvaultaz --resource-group rg-vault --encryption-key-vault ${URI} --encryption-key-name ${KEY} --encryption-key-source Microsoft.Keyvault --key-vault-user-identity-id ${identity}`,
    );

    const encryption = await az.json(
      `storage account show --name stvaultaz --resource-group rg-vault --query encryption`,
    );
    expect(encryption).toMatchObject({
      keySource: 'Microsoft.Keyvault',
      keyVaultProperties: { keyName: KEY, keyVaultUri: URI },
    });
  });

  it('Azure refuses a Managed HSM without purge protection, in the words of azure-cli#17914', async () => {
    const hsm = app.azure.world.managedHsms.get(HSM);
    if (!hsm) throw new Error('The sample fleet has it.');

    hsm.properties.enablePurgeProtection = false;

    const update = `storage account update --name stvaultaz --resource-group rg-vault --encryption-key-vault ${URI} --encryption-key-name article-key --encryption-key-source Microsoft.Keyvault`;
    const refused = await az.run(update);

    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('Keyvault policy recoverable is not set');

    try {
      await az.json(`keyvault update-hsm --hsm-name ${HSM} --resource-group rg-keys --enable-purge-protection true`);
      expect(hsm.properties.enablePurgeProtection).toBe(true);
    } finally {
      hsm.properties.enablePurgeProtection = true;
    }

    expect((await az.run(update)).code).toBe(0);
  });
});

describe('a deleted local role', () => {
  it('The drift check finds a deleted local role, and prints the command that assigns it again', async () => {
    const principal = await az.text(
      'identity show --name id-storage --resource-group rg-files --query principalId -o tsv',
    );

    const role = async () => {
      const operator = new Procedures(app);
      const { result } = await operator.run((operation) => verifyAccount({ account: 'stvault01' }, operation));
      return result.checks.find(({ check }) => check === 'role on the key');
    };

    const vault = { kind: 'managedHsm', name: HSM } as ManagedVault;

    expect(await role()).toMatchObject({ state: 'ok' });

    await az.text(
      `keyvault role assignment delete --hsm-name ${HSM} --assignee-object-id ${principal} --role "${ENCRYPTION_USER.local.name}" --scope /keys`,
    );

    expect(await role()).toMatchObject({ state: 'failed' });

    const command = grantAccess(principal, vault, 'local');
    if (typeof command !== 'string') throw new Error('No command is printed.');

    await az.text(command.replace(/^az /, '').replaceAll("'", '"'));

    expect(await role()).toMatchObject({ state: 'ok' });
  });

  it('az assigns the app its local role as docs/how-to/managed-hsm.md says', async () => {
    const page = readFileSync(new URL('../../docs/how-to/managed-hsm.md', import.meta.url), 'utf8');
    const identity = await az.json<{ principalId: string }>(
      'identity create --name id-app-hsm --resource-group rg-vault --location westeurope',
    );

    // As the administrator of the HSM pastes them, on one that has none of the roles yet.
    const hsm = app.azure.world.managedHsms.get(HSM)?.local;
    for (const { name } of APP_LOCAL_ROLES) hsm?.roleDefinitions.delete(name);

    try {
      const commands = [...page.matchAll(/^az (keyvault role .*<hsm>.*)$/gm)].map(([, command = '']) => command);
      expect(commands).toHaveLength(2 * APP_LOCAL_ROLES.length);

      for (const command of commands) {
        const filled = command
          .replaceAll('<hsm>', HSM)
          .replace('<object id of the identity>', identity.principalId)
          .replace(/'(\{.*\})'/, (_, json: string) => {
            writeFileSync(path.join(folder, 'app-role.json'), json);
            return path.join(folder, 'app-role.json');
          });

        await az.text(filled);
      }

      const all = await az.json<{ roleName: string; scope: string }[]>(
        `keyvault role assignment list --hsm-name ${HSM} --assignee-object-id ${identity.principalId}`,
      );
      expect(all.map(({ roleName, scope }) => `${roleName} ${scope}`).sort()).toEqual([
        'CMK Autopilot /keys',
        'CMK Autopilot roles reader /',
      ]);
    } finally {
      for (const { scope: _, ...role } of APP_LOCAL_ROLES) {
        hsm?.roleDefinitions.set(role.name, { ...role, type: 'CustomRole', notDataActions: [] });
      }
    }
  });
});
