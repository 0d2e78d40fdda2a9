import { describe, expect, it } from 'vitest';
import { addOtherResource } from '../../../local/azure/fleet.ts';
import { listUsers } from '../../../src/cli/procedures/user/list-users.ts';
import { keyOf, type Site, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();

function idOf({ vault, key }: Site, version?: { readonly version: string }): string {
  return `https://${vault.name}.vault.azure.net/keys/${key}${version ? `/${version.version}` : ''}`;
}

describe('the list of resources that use a key', () => {
  it('Each resource is listed with its mode, its version, and how far it is behind', async () => {
    const site = procedures.site();
    const { group, version, vault } = site;
    const newer = procedures.nextVersion(site);
    const add = (type: string, name: string, properties: Record<string, unknown>) =>
      addOtherResource(procedures.world, group, type, name, properties);

    add('Microsoft.ContainerRegistry/registries', 'acr1', {
      encryption: { keyVaultProperties: { keyIdentifier: idOf(site), versionedKeyIdentifier: idOf(site, newer) } },
    });
    add('Microsoft.Sql/servers', 'sql1', { keyId: idOf(site, version) });
    add('Microsoft.Kusto/clusters', 'adx1', {
      keyVaultProperties: {
        keyVaultUri: `https://${vault.name}.vault.azure.net`,
        keyName: site.key,
        keyVersion: version.version,
      },
    });
    procedures.encrypted(site, 'pinned');

    const { result } = await procedures.run((operation) => listUsers({ vault: [vault.name] }, operation));

    expect(result.unread).toEqual([]);
    expect(result.value.map(({ type, mode, version, behind }) => [type, mode, version, behind?.versions])).toEqual(
      expect.arrayContaining([
        ['microsoft.containerregistry/registries', 'automatic', newer.version, undefined],
        ['microsoft.sql/servers', 'unknown', version.version, 1],
        ['microsoft.kusto/clusters', 'pinned', version.version, 1],
        ['microsoft.storage/storageaccounts', 'pinned', newer.version, undefined],
      ]),
    );
    expect(result.value).toHaveLength(4);

    const asked = { vault: [], key: keyOf(site), type: ['clusters'], mode: ['pinned'] };
    const { result: some } = await procedures.run((operation) => listUsers(asked, operation));
    expect(some.value.map(({ name }) => name)).toEqual(['adx1']);
  });
});
