import { Hono } from 'hono';
import { createWorld } from '../../../local/azure/create-world.ts';
import { createFileService } from '../../../local/azure/file-service.ts';
import { createKeyVersion, keyIdentifier } from '../../../local/azure/key-vault/keys.ts';
import { assignRole } from '../../../local/azure/roles/assign-role.ts';
import { BUILT_IN_ROLES } from '../../../local/azure/roles/built-in-roles.ts';
import type { ServiceEnv } from '../../../local/azure/service.ts';
import type { Principal, StorageAccount, World, WorldSettings } from '../../../local/azure/world.ts';
import { addVault, named } from '../key-vault/fixture.ts';

const group = '/subscriptions/5ab50000-0000-4000-8000-000000000001/resourceGroups/rg/providers';
const identityId = `${group}/Microsoft.ManagedIdentity/userAssignedIdentities/id-storage`;
const storagePrincipal = '5107a6e0-0000-4000-8000-000000000001';

interface AskOptions {
  as?: Principal;
  audience?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** An account with a share, encrypted with a key whose vault its identity may use. */
export function fileFixture(settings: Partial<WorldSettings> = {}) {
  const world = createWorld(settings);
  const vault = addVault(world, 'kv-test');
  const version = createKeyVersion(world, vault, 'k1');
  const assignment = assignRole(world, {
    scope: vault.id,
    principalId: storagePrincipal,
    role: BUILT_IN_ROLES['Key Vault Crypto Service Encryption User'],
    settled: true,
  });
  world.identities.set(identityId.toLowerCase(), {
    id: identityId,
    name: 'id-storage',
    location: 'westeurope',
    tags: {},
    principalId: storagePrincipal,
    clientId: '5107a6e0-0000-4000-8000-000000000002',
  });
  const account = addAccount(world, keyIdentifier(vault, 'k1', version.version));
  const owner = named(world, 'owner');
  const service = createFileService(world);
  const ask = async (method: string, path: string, options: AskOptions = {}) => {
    const app = new Hono<ServiceEnv>();
    app.use(async (c, next) => {
      const principal = options.as ?? owner;
      c.set('caller', { principal, audience: options.audience ?? 'https://storage.azure.com' });
      await next();
    });
    app.route('/', service);
    const response = await app.request(`https://stfiles01.file.core.windows.net${path}`, {
      method,
      ...(options.body === undefined ? {} : { body: options.body }),
      headers: { authorization: 'Bearer t', 'x-ms-file-request-intent': 'backup', ...options.headers },
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return { world, vault, version, assignment, account, ask, owner, nobody: named(world, 'outsider') };
}

function addAccount(world: World, keyId: string): StorageAccount {
  const account: StorageAccount = {
    id: `${group}/Microsoft.Storage/storageAccounts/stfiles01`,
    name: 'stfiles01',
    location: 'westeurope',
    kind: 'StorageV2',
    sku: { name: 'Standard_LRS', tier: 'Standard' },
    tags: {},
    identity: {
      type: 'UserAssigned',
      userAssignedIdentities: { [identityId]: { principalId: storagePrincipal, clientId: 'c' } },
    },
    properties: {},
    encryption: {
      keySource: 'Microsoft.Keyvault',
      services: { file: { enabled: true, keyType: 'Account' } },
      identity: { userAssignedIdentity: identityId.toLowerCase() },
      keyvaultproperties: {
        keyvaulturi: 'https://kv-test.vault.azure.net',
        keyname: 'k1',
        keyversion: '',
        currentVersionedKeyIdentifier: keyId,
      },
    },
    encryptionScopes: new Map(),
    fileShares: new Map([
      [
        'team',
        { name: 'team', enabledProtocols: 'SMB', shareQuota: 100, files: ['plan.txt', 'a & b.txt', 'minutes/one.txt'] },
      ],
    ]),
    blobContainers: new Map(),
    queues: new Map(),
    tables: new Map(),
    lastKeyCheckMs: 0,
  };
  world.storageAccounts.set(account.name, account);
  return account;
}
