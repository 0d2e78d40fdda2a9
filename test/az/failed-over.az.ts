import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useLocalAzure } from '../support/local-azure.ts';
import { Az } from './az.ts';

const local = useLocalAzure({ fleet: 'sample' });
const KEY = '--vault-name kv-files --name files-key';

let az: Az;

beforeAll(async () => {
  az = new Az(local.azure.env);

  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = local.azure.owner;

  await az.text(`login --service-principal --username ${id} --password=${secret} --tenant ${tenant}`);

  local.azure.world.settings.failedOverVaults = ['kv-files'];
});
afterAll(() => az?.close());

describe('az at a vault whose region is failed over', () => {
  it('az lists and shows the keys of a vault that is failed over', async () => {
    expect(await az.text('keyvault key list --vault-name kv-files --query [].name --output tsv')).toContain(
      'files-key',
    );
    expect(await az.text(`keyvault key show ${KEY} --query attributes.enabled`)).toBe('true');
  });

  it('az cannot disable a version, rotate a key or change the firewall of a vault that is failed over', async () => {
    for (const command of [
      `keyvault key set-attributes ${KEY} --enabled false`,
      `keyvault key rotate ${KEY}`,
      'keyvault update --name kv-files --default-action Deny',
    ]) {
      const { code, stderr } = await az.run(command);
      expect({ command, code }).toEqual({ command, code: 1 });
      expect(stderr).toContain('read-only');
    }

    expect(await az.text(`keyvault key show ${KEY} --query attributes.enabled`)).toBe('true');
  });
});
