import { beforeAll, describe, expect, it } from 'vitest';
import type { DryAzure } from './arm/dry-azure.ts';
import { at, type JsonObject } from './arm/json.ts';
import { dryRun } from './arm/templates.ts';

let azure: DryAzure;
let outputs: JsonObject;
beforeAll(async () => {
  ({ azure, outputs } = await dryRun('demo', {}));
});

describe('the demo, step by step as in the article', () => {
  it('makes a vault with purge protection, which Storage insists on', () => {
    expect(azure.ofType('Microsoft.KeyVault/vaults')[0]?.body.properties).toMatchObject({
      enablePurgeProtection: true,
      enableSoftDelete: true,
      enableRbacAuthorization: true,
    });
  });

  it('makes an RSA key with a rotation policy and notice before it expires', () => {
    const key = azure.ofType('Microsoft.KeyVault/vaults/keys')[0]?.body.properties;
    expect(key).toMatchObject({ kty: 'RSA', keySize: 3072 });
    expect(at(key, 'rotationPolicy', 'lifetimeActions', 0, 'action', 'type')).toBe('rotate');
    expect(at(key, 'rotationPolicy', 'lifetimeActions', 1, 'trigger', 'timeBeforeExpiry')).toBe('P30D');
  });

  it('gives an identity the role Key Vault Crypto Service Encryption User on the vault before an account needs it', () => {
    const order = azure.resources.map(({ type }) => type);
    const role = azure.resources.findIndex(({ body }) =>
      String(at(body, 'properties', 'roleDefinitionId')).endsWith('e147488a-f6f5-4113-8e2d-b22465e65bf6'),
    );
    expect(role).toBeGreaterThan(-1);
    expect(role).toBeLessThan(order.indexOf('Microsoft.Storage/storageAccounts'));
  });

  it('makes one account that follows new versions and one that is pinned, each with a file share', () => {
    const versions = azure
      .ofType('Microsoft.Storage/storageAccounts')
      .map(({ body }) => at(body, 'properties', 'encryption', 'keyvaultproperties', 'keyversion'));
    expect(versions).toEqual(['', String(outputs.keyVersionId).split('/').at(-1)]);
    expect(azure.ofType('Microsoft.Storage/storageAccounts/fileServices/shares')).toHaveLength(2);
  });

  it('keeps names within what Azure takes', () => {
    expect(azure.ofType('Microsoft.KeyVault/vaults')[0]?.id.split('/').at(-1)).toMatch(
      /^[a-z][a-z0-9-]{1,22}[a-z0-9]$/,
    );
    for (const name of outputs.accountNames as string[]) expect(name).toMatch(/^[a-z0-9]{3,24}$/);
  });
});
