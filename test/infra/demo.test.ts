import { expect, it } from 'vitest';
import { nameOf } from './arm/dry-azure.ts';
import { dryRun } from './arm/templates.ts';

it('the demo creates what the article has: a vault, a key, a role in time, an automatic and a pinned account', async () => {
  const { azure, outputs } = await dryRun('demo', {});
  expect(azure.values('Microsoft.KeyVault/vaults')).toMatchObject([
    { enablePurgeProtection: true, enableSoftDelete: true, enableRbacAuthorization: true },
  ]);

  const notice = { trigger: { timeBeforeExpiry: 'P30D' } };
  expect(azure.values('Microsoft.KeyVault/vaults/keys')).toMatchObject([
    { kty: 'RSA', keySize: 3072, rotationPolicy: { lifetimeActions: [{ action: { type: 'rotate' } }, notice] } },
  ]);

  // Key Vault Crypto Service Encryption User.
  const role = azure.resources.findIndex(({ body }) =>
    JSON.stringify(body).includes('e147488a-f6f5-4113-8e2d-b22465e65bf6'),
  );
  expect(role).toBeGreaterThan(-1);
  expect(role).toBeLessThan(azure.resources.findIndex(({ type }) => type === 'Microsoft.Storage/storageAccounts'));

  const versions = azure.values('Microsoft.Storage/storageAccounts', 'encryption', 'keyvaultproperties', 'keyversion');
  expect(versions).toEqual(['', nameOf(String(outputs.keyVersionId))]);
  expect(azure.ofType('Microsoft.Storage/storageAccounts/fileServices/shares')).toHaveLength(2);
  expect(azure.names('Microsoft.KeyVault/vaults')).toEqual([expect.stringMatching(/^[a-z][a-z0-9-]{1,22}[a-z0-9]$/)]);

  for (const name of outputs.accountNames as string[]) expect(name).toMatch(/^[a-z0-9]{3,24}$/);
});
