import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_IDS, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addSubscription } from '../../local/azure/fleet.ts';
import { changeKey, disableAccount, pinAccount } from '../../src/cli/procedures/account/account-change.ts';
import { createAccount, enableAccount } from '../../src/cli/procedures/account/account-enable.ts';
import { arm } from '../local-azure/support.ts';
import { openData, readData } from '../support/data-services.ts';
import { type Procedures, useProcedures } from '../support/procedures.ts';
import { Az } from './az.ts';

/**
 * The Azure CLI procedures of the article "Configure customer-managed keys for Azure Files", in its order and in its own
 * words, run by the real az; beside each change of an account, our own operation on another account that is set up the
 * same, and what Azure Resource Manager shows of the two has to be equal.
 */
const procedures: Procedures = useProcedures({ instantProvisioning: false });

const GROUP = 'rg-article';
const REGION = 'westeurope';
const VAULT = 'kv-article';
const KEY = 'article-key';
const IDENTITY = 'id-article';

let az: Az;
let user: Az;
let folder: string;
let vaultId = '';
let vaultUri = '';
let identityId = '';
let principalId = '';

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'cmk-article-'));
  const { local } = procedures;
  addSubscription(procedures.world, { subscriptionId: SUBSCRIPTION_ID, displayName: 'Article' });
  az = new Az(local.env);
  user = new Az(local.env);
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = local.owner;
  await az.text(`login --service-principal --username ${id} --password=${secret} --tenant ${tenant}`);
  await az.json(`group create --name ${GROUP} --location ${REGION}`);
});
afterAll(() => {
  az?.close();
  user?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What ARM shows of an account, with what cannot be the same for two accounts taken out. */
async function shown(name: string): Promise<unknown> {
  const id = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/${GROUP}/providers/Microsoft.Storage/storageAccounts/${name}`;
  const { status, body } = await arm(procedures.local, 'GET', id);
  expect(status).toBe(200);
  const text = JSON.stringify(body)
    .replaceAll(name, '<account>')
    // Ours records that it is meant.
    .replace(/,?"cmk-opt-out":"[^"]*"/, '')
    .replace(/"20\d\d-\d\d-\d\dT[\d:.]+Z"/g, '"<time>"');
  return JSON.parse(text);
}

async function expectSame(ofAz: string, ours: string): Promise<void> {
  expect(await shown(ours)).toEqual(await shown(ofAz));
}

/** Two accounts made alike, one for az and one for us. */
async function twins(name: string): Promise<[string, string]> {
  const names: [string, string] = [`st${name}az`, `st${name}us`];
  for (const account of names) {
    await az.json(
      `storage account create --name ${account} --resource-group ${GROUP} --location ${REGION} --sku Standard_LRS --kind StorageV2`,
    );
  }
  return names;
}

interface ShownAccount {
  readonly encryption: {
    readonly keySource: string;
    readonly keyVaultProperties: {
      readonly keyName: string;
      readonly keyVaultUri: string;
      readonly keyVersion: string | null;
      readonly currentVersionedKeyIdentifier: string;
    } | null;
    readonly encryptionIdentity: { readonly encryptionUserAssignedIdentity: string } | null;
  };
  readonly identity: { readonly type: string } | null;
}

describe('Step 1: create a key vault, or configure an existing one', () => {
  it('az creates a vault with purge protection', async () => {
    const vault = await az.json<{ properties: Record<string, unknown> }>(
      `keyvault create --name ${VAULT} --resource-group ${GROUP} --location ${REGION} --enable-purge-protection true`,
    );
    expect(vault.properties).toMatchObject({
      enablePurgeProtection: true,
      enableSoftDelete: true,
      enableRbacAuthorization: true,
      vaultUri: `https://${VAULT}.vault.azure.net/`,
    });
  });

  it('az turns purge protection on for an existing vault', async () => {
    const created = await az.json<{ properties: Record<string, unknown> }>(
      `keyvault create --name kv-article-old --resource-group ${GROUP} --location ${REGION}`,
    );
    expect(created.properties.enablePurgeProtection).not.toBe(true);
    const updated = await az.json<{ properties: Record<string, unknown> }>(
      `keyvault update --name kv-article-old --resource-group ${GROUP} --enable-purge-protection true`,
    );
    expect(updated.properties.enablePurgeProtection).toBe(true);
  });

  it('az assigns the Key Vault Crypto Officer role to the person who is signed in', async () => {
    vaultId = await az.text(`keyvault show --name ${VAULT} --query id -o tsv`);

    expect(vaultId).toMatch(new RegExp(`/resourceGroups/${GROUP}/providers/Microsoft.KeyVault/vaults/${VAULT}$`));

    // A service principal has no account of its own: this step needs a person.
    await user.text('login --use-device-code');

    const me = await user.text('ad signed-in-user show --query id -o tsv');
    expect(me).toBe(procedures.world.principals.get(CLIENT_IDS.ownerUser)?.objectId);

    const assignment = await user.json(
      `role assignment create --assignee-object-id ${me} --assignee-principal-type User --role "Key Vault Crypto Officer" --scope ${vaultId}`,
    );
    expect(assignment).toMatchObject({ principalId: me, principalType: 'User', scope: vaultId });
  });
});

describe('Step 2: create or import an encryption key', () => {
  it('az creates an RSA key', async () => {
    const key = await user.json<{ key: { kid: string; kty: string } }>(
      `keyvault key create --vault-name ${VAULT} --name ${KEY} --kty RSA --size 2048`,
    );
    expect(key.key.kty).toBe('RSA');
    expect(key.key.kid).toMatch(new RegExp(`^https://${VAULT}.vault.azure.net/keys/${KEY}/[0-9a-f]{32}$`));
  });

  it('Key Vault rejects a key size that it does not make', async () => {
    const { code, stderr } = await az.run(
      `keyvault key create --vault-name ${VAULT} --name small --kty RSA --size 1024`,
    );
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/size/i);
  });

  it('az imports an RSA key with --pem-password, as the --password of the article does not exist', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const file = path.join(folder, 'key.pem');
    const passphrase = 'geheim';

    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }));

    const command = `keyvault key import --vault-name ${VAULT} --name imported-key --pem-file ${file}`;

    const wrong = await az.run(`${command} --password ${passphrase}`);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('unrecognized arguments: --password');

    const key = await az.json<{ key: { n: string; kty: string } }>(`${command} --pem-password ${passphrase}`);
    expect(key.key.kty).toBe('RSA');

    const { n = '' } = privateKey.export({ format: 'jwk' });
    expect(Buffer.from(key.key.n, 'base64')).toEqual(Buffer.from(n, 'base64url'));
  });
});

describe('Step 3: create a managed identity and assign permissions', () => {
  it('az creates a user-assigned identity and shows its principal', async () => {
    const identity = await az.json<{ id: string; principalId: string }>(
      `identity create --name ${IDENTITY} --resource-group ${GROUP} --location ${REGION}`,
    );
    principalId = await az.text(
      `identity show --name ${IDENTITY} --resource-group ${GROUP} --query principalId -o tsv`,
    );
    expect(principalId).toBe(identity.principalId);
  });

  it('az assigns an identity the Key Vault Crypto Service Encryption User role', async () => {
    const create = `role assignment create --assignee-object-id ${principalId} --assignee-principal-type ServicePrincipal --role "Key Vault Crypto Service Encryption User" --scope ${vaultId}`;
    const assignment = await az.json<{ roleDefinitionId: string }>(create);
    expect(assignment).toMatchObject({ principalId, principalType: 'ServicePrincipal', scope: vaultId });
    expect(assignment.roleDefinitionId).toMatch(/e147488a-f6f5-4113-8e2d-b22465e65bf6$/);
    // The same again is no error.
    expect(await az.json(create)).toMatchObject({ principalId });
  });
});

describe('Step 4: configure customer-managed keys', () => {
  const key = { vault: VAULT, key: KEY };

  it('az encrypts an existing account, which then follows the newest version', async () => {
    const [ofAz, ours] = await twins('auto');

    identityId = await az.text(`identity show --name ${IDENTITY} --resource-group ${GROUP} --query id -o tsv`);
    vaultUri = await az.text(`keyvault show --name ${VAULT} --query properties.vaultUri -o tsv`);

    const account = await az.json<ShownAccount>(
      `storage account update --name ${ofAz} --resource-group ${GROUP} --encryption-key-vault ${vaultUri} --encryption-key-name ${KEY} --encryption-key-source Microsoft.Keyvault --key-vault-user-identity-id ${identityId} --identity-type UserAssigned --user-identity-id ${identityId}`,
    );
    expect(account.encryption).toMatchObject({
      keySource: 'Microsoft.Keyvault',
      keyVaultProperties: { keyName: KEY, keyVaultUri: vaultUri, keyVersion: null },
      encryptionIdentity: { encryptionUserAssignedIdentity: identityId },
    });

    expect(account.identity?.type).toBe('UserAssigned');

    await procedures.run((operation) => enableAccount({ account: ours, key, identity: IDENTITY }, operation));
    await expectSame(ofAz, ours);
  });

  it('az encrypts an existing account with a pinned version', async () => {
    const [ofAz, ours] = await twins('pin');
    const version = (
      await az.text(`keyvault key show --vault-name ${VAULT} --name ${KEY} --query key.kid -o tsv`)
    ).replace(/.*\//, '');
    const account = await az.json<ShownAccount>(
      `storage account update --name ${ofAz} --resource-group ${GROUP} --encryption-key-vault ${vaultUri} --encryption-key-name ${KEY} --encryption-key-version ${version} --encryption-key-source Microsoft.Keyvault --key-vault-user-identity-id ${identityId} --identity-type UserAssigned --user-identity-id ${identityId}`,
    );

    expect(account.encryption.keyVaultProperties?.keyVersion).toBe(version);

    await procedures.run((operation) =>
      enableAccount({ account: ours, key: { ...key, pin: 'newest' }, identity: IDENTITY }, operation),
    );
    await expectSame(ofAz, ours);
  });

  it("az encrypts an existing account with the account's own identity", async () => {
    const [ofAz, ours] = await twins('sys');

    // One command cannot do it: the identity has no role before it exists.
    const command = `storage account update --name ${ofAz} --resource-group ${GROUP} --encryption-key-vault ${vaultUri} --encryption-key-name ${KEY} --encryption-key-source Microsoft.Keyvault --identity-type SystemAssigned`;
    const tooEarly = await az.run(command);

    expect(tooEarly.code).not.toBe(0);
    expect(tooEarly.stderr).toMatch(/KeyVaultAuthenticationFailure|authentication issue on the keyvault/);

    const { identity } = await az.json<{ identity: { principalId: string } }>(
      `storage account update --name ${ofAz} --resource-group ${GROUP} --identity-type SystemAssigned`,
    );

    await az.json(
      `role assignment create --assignee-object-id ${identity.principalId} --assignee-principal-type ServicePrincipal --role "Key Vault Crypto Service Encryption User" --scope ${vaultId}`,
    );
    await az.json(command);
    await procedures.run((operation) =>
      enableAccount({ account: ours, key, identity: undefined, grant: true }, operation),
    );

    const withoutPrincipal = async (name: string) =>
      JSON.stringify(await shown(name)).replace(/"principalId":"[^"]+"/g, '');
    expect(await withoutPrincipal(ours)).toBe(await withoutPrincipal(ofAz));
  });

  it('az encrypts a new account', async () => {
    const [ofAz, ours] = ['stnewaz', 'stnewus'] as const;
    const command = (name: string): string =>
      `storage account create --name ${name} --resource-group ${GROUP} --location ${REGION} --sku Standard_LRS --kind StorageV2 --identity-type UserAssigned --user-identity-id ${identityId} --encryption-key-vault ${vaultUri} --encryption-key-name ${KEY} --encryption-key-source Microsoft.Keyvault --key-vault-user-identity-id ${identityId}`;

    // As the article has it: queues and tables keep keys of their own, for good.
    const account = await az.json<ShownAccount>(command('stnewplain'));

    expect(account.encryption.keySource).toBe('Microsoft.Keyvault');

    await az.json(`${command(ofAz)} --encryption-key-type-for-queue Account --encryption-key-type-for-table Account`);

    const options = { account: ours, key, identity: IDENTITY, resourceGroup: GROUP, location: REGION };

    await procedures.run((operation) =>
      createAccount({ ...options, sku: 'Standard_LRS', kind: 'StorageV2' }, operation),
    );
    await expectSame(ofAz, ours);
  });

  it('az encrypts no queue or table of an account that did not ask for it at creation', async () => {
    const { world } = procedures;
    const accounts = ['stnewplain', 'stnewus'].flatMap((name) => world.storageAccounts.get(name) ?? []);

    for (const account of accounts) openData(world, account);

    const readAll = () => Promise.all(accounts.map((account) => readData(world, account)));
    const open = { blob: 'open', file: 'open', queue: 'open', table: 'open' };

    expect(await readAll()).toEqual([open, open]);

    const versions = world.vaults.get(VAULT)?.keys.get(KEY)?.versions ?? [];
    for (const { version } of versions.filter(({ enabled }) => enabled)) {
      await az.json(
        `keyvault key set-attributes --vault-name ${VAULT} --name ${KEY} --version ${version} --enabled false`,
      );
    }

    const cutOff = 'KeyVaultEncryptionKeyNotFound';
    expect(await readAll()).toEqual([
      { blob: cutOff, file: cutOff, queue: 'open', table: 'open' },
      { blob: cutOff, file: cutOff, queue: cutOff, table: cutOff },
    ]);

    for (const version of versions) version.enabled = true;
  });

  it('Azure refuses to encrypt an account with a key of a vault without purge protection', async () => {
    await az.json(`keyvault create --name kv-article-bare --resource-group ${GROUP} --location ${REGION}`);

    const scope = vaultId.replace(VAULT, 'kv-article-bare');

    await az.json(
      `role assignment create --assignee-object-id ${principalId} --assignee-principal-type ServicePrincipal --role "Key Vault Crypto Service Encryption User" --scope ${scope}`,
    );
    await az.json(`keyvault key create --vault-name kv-article-bare --name ${KEY} --kty RSA --size 2048`);

    const { code, stderr } = await az.run(
      `storage account update --name stautoaz --resource-group ${GROUP} --encryption-key-vault https://kv-article-bare.vault.azure.net --encryption-key-name ${KEY} --encryption-key-source Microsoft.Keyvault`,
    );
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/KeyVaultPolicyError|Keyvault policy recoverable is not set/);
  });
});

describe('Step 5: verify the configuration', () => {
  it('az shows the key source, vault and key of an account', async () => {
    const encryption = await az.json<ShownAccount['encryption']>(
      `storage account show --name stautoaz --resource-group ${GROUP} --query encryption`,
    );
    expect(encryption).toMatchObject({
      keySource: 'Microsoft.Keyvault',
      keyVaultProperties: { keyVaultUri: vaultUri, keyName: KEY },
    });
  });
});

describe('Key rotation', () => {
  it('az moves an account that is pinned to a version to the newest one', async () => {
    await az.json(`keyvault key rotate --vault-name ${VAULT} --name ${KEY}`);

    const version = (
      await az.text(`keyvault key show --vault-name ${VAULT} --name ${KEY} --query key.kid -o tsv`)
    ).replace(/.*\//, '');
    const account = await az.json<ShownAccount>(
      `storage account update --name stpinaz --resource-group ${GROUP} --encryption-key-vault ${vaultUri} --encryption-key-name ${KEY} --encryption-key-version ${version} --encryption-key-source Microsoft.Keyvault`,
    );

    expect(account.encryption.keyVaultProperties?.keyVersion).toBe(version);

    await procedures.run((operation) => pinAccount({ account: 'stpinus' }, operation));
    await expectSame('stpinaz', 'stpinus');
  });

  it('az changes the key of an automatic account', async () => {
    await az.json(`keyvault key create --vault-name ${VAULT} --name second-key --kty RSA --size 3072`);
    const account = await az.json<ShownAccount>(
      `storage account update --name stautoaz --resource-group ${GROUP} --encryption-key-vault ${vaultUri} --encryption-key-name second-key --encryption-key-source Microsoft.Keyvault`,
    );
    expect(account.encryption.keyVaultProperties?.keyName).toBe('second-key');
    const key = { vault: VAULT, key: 'second-key' };
    await procedures.run((operation) => changeKey({ account: 'stautous', key, automatic: false }, operation));
    await expectSame('stautoaz', 'stautous');
  });

  it('az changes the key of a pinned account, whose old version az sends along (azure-cli#27644)', async () => {
    const update = `storage account update --name stpinaz --resource-group ${GROUP} --encryption-key-vault ${vaultUri} --encryption-key-name second-key --encryption-key-source Microsoft.Keyvault`;
    const stale = await az.run(update);
    expect(stale.code).not.toBe(0);
    expect(stale.stderr).toMatch(/HttpResourceNotFound|is not found/);
    const { code } = await az.run(`${update} --encryption-key-version ""`);
    expect(code).toBe(0);
    const key = { vault: VAULT, key: 'second-key' };
    await procedures.run((operation) => changeKey({ account: 'stpinus', key, automatic: true }, operation));
    await expectSame('stpinaz', 'stpinus');
  });
});

describe('Revoke access by disabling the key', () => {
  it('az disables the newest version alone, and enables it again', async () => {
    await az.json(`keyvault key rotate --vault-name ${VAULT} --name ${KEY}`);

    const disable = `keyvault key set-attributes --vault-name ${VAULT} --name ${KEY}`;
    const disabled = await az.json<{ attributes: { enabled: boolean } }>(`${disable} --enabled false`);

    expect(disabled.attributes.enabled).toBe(false);

    const versions = await az.json<{ attributes: { enabled: boolean } }[]>(
      `keyvault key list-versions --vault-name ${VAULT} --name ${KEY}`,
    );

    // What this leaves open is why `cmk key revoke` goes through every version.
    expect(versions.filter(({ attributes }) => attributes.enabled)).toHaveLength(versions.length - 1);
    expect(versions.length).toBeGreaterThan(2);

    const enabled = await az.json<{ attributes: { enabled: boolean } }>(`${disable} --enabled true`);
    expect(enabled.attributes.enabled).toBe(true);
  });
});

describe('Switch back to Microsoft-managed keys', () => {
  it('az returns the account to Microsoft-managed keys', async () => {
    const account = await az.json<ShownAccount>(
      `storage account update --name stautoaz --resource-group ${GROUP} --encryption-key-source Microsoft.Storage`,
    );
    expect(account.encryption).toMatchObject({ keySource: 'Microsoft.Storage', keyVaultProperties: null });
    await procedures.run((operation) =>
      disableAccount({ account: 'stautous', yes: true, confirm: async () => {} }, operation),
    );
    await expectSame('stautoaz', 'stautous');
  });
});
