import { describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { arm, signIn } from './support.ts';

const local = useLocalAzure({ fleet: 'sample' });
const subscription = `/subscriptions/${SUBSCRIPTION_ID}`;
const vault = `${subscription}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files`;
const account = `${subscription}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01`;

describe('an api-version of Azure Resource Manager', () => {
  it.each([
    subscription,
    `${subscription}/resourceGroups/rg-files`,
    account,
    `${account}/encryptionScopes`,
    vault,
    `${vault}/providers/Microsoft.Authorization/roleAssignments`,
    `${vault}/providers/Microsoft.Authorization/locks`,
    `${vault}/providers/Microsoft.Insights/diagnosticSettings`,
    `${vault}/providers/Microsoft.EventGrid/eventSubscriptions`,
    `${subscription}/providers/Microsoft.Insights/eventtypes/management/values`,
  ])('ARM rejects an api-version that does not exist for %s', async (path) => {
    const { status, body } = await arm(local.azure, 'GET', `${path}?api-version=2099-01-01`);
    expect([status, body.error?.code]).toEqual([400, 'InvalidApiVersionParameter']);
    expect(body.error?.message).toMatch(/^The api-version '2099-01-01' is invalid. The supported versions are '20/);
  });

  it('ARM rejects the api-version of another resource type', async () => {
    expect((await arm(local.azure, 'GET', `${account}?api-version=2025-08-01`)).status).toBe(200);
    const { body } = await arm(local.azure, 'GET', `${vault}?api-version=2025-08-01`);
    expect(body.error?.code).toBe('InvalidApiVersionParameter');
  });
});

describe('an api-version of Key Vault', () => {
  const ask = async (method: string, path: string) => {
    const { token } = local.azure.tokens.issue(signIn(local.azure, 'owner'), 'https://vault.azure.net');
    const response = await fetch(`https://kv-files.vault.azure.net${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
    });
    return { status: response.status, body: await response.json() };
  };

  it('Key Vault rejects an api-version that does not exist', async () => {
    expect(await ask('GET', '/keys?api-version=9.9')).toMatchObject({
      status: 400,
      body: { error: { code: 'BadParameter', message: expect.stringContaining('The specified version (9.9)') } },
    });
  });

  it.each([
    ['POST', '/keys/archive-key/rotate'],
    ['GET', '/keys/archive-key/rotationpolicy'],
  ])('Key Vault serves no %s %s before the api-version 7.3', async (method, path) => {
    expect(await ask(method, `${path}?api-version=7.0`)).toMatchObject({
      status: 400,
      body: { error: { code: 'BadParameter' } },
    });
    expect((await ask(method, `${path}?api-version=7.3`)).status).toBe(200);
  });
});
