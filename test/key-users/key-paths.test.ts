import { describe, expect, it } from 'vitest';
import { describeWhenRevoked } from '../../src/key-users/key-user-types.ts';
import { createVaultUseQuery, findUseOfKey, listUsesOfVault } from '../../src/key-users/resource-graph-query.ts';
import { KEY, VAULT_ID, versionName } from '../support/keys.ts';

const version = versionName(7);
const vault = 'https://kv-files.vault.azure.net';
const id = `${vault}/keys/files-key`;
const pair = (change: Record<string, unknown> = {}) => ({ keyVaultUri: vault, keyName: 'files-key', ...change });

function row(type: string, properties: unknown) {
  const found = { id: '/x', name: 'x', type: type.toLowerCase(), location: 'y', subscriptionId: 'z', properties };
  const uses = findUseOfKey(found, KEY);
  expect(listUsesOfVault(found, KEY.vault).get(KEY.name)).toEqual(uses);
  return uses;
}

describe('the effect of a revocation on a resource', () => {
  it.each([
    ['microsoft.dbformysql/flexibleservers', /rejects connections within ten minutes/],
    ['microsoft.operationalinsights/clusters', /new data is dropped permanently/],
    ['microsoft.compute/diskencryptionsets', /Virtual machines with such a disk shut down/],
    ['microsoft.kusto/clusters', /does not document/],
  ])('The effect of a revocation is known for %s', (type, sentence) => {
    expect(describeWhenRevoked(type)).toMatch(sentence);
  });

  it('The effect of a revocation is unknown for a resource that names the key for an unknown purpose', () => {
    const found = row('microsoft.web/sites', { strange: id });
    expect(found).toMatchObject({ known: false });
    expect(found).not.toHaveProperty('whenRevoked');
  });
});

describe('the uses of a key that a resource names', () => {
  const otherLetters = `https://KV-Files.vault.azure.net/keys/Files-Key/${version.toUpperCase()}`;
  const kusto = (change: Record<string, unknown> = {}) => ({ keyVaultProperties: pair(change) });
  const bus = (...keys: object[]) => ({ encryption: { keyVaultProperties: keys } });

  it.each<[sentence: string, type: string, properties: unknown, versions: (string | undefined)[]]>([
    ['an identifier with a trailing slash', 'Microsoft.Sql/servers', { keyId: `${id}/` }, [undefined]],
    ['a property in other letters', 'Microsoft.Sql/servers', { keyID: otherLetters }, [version]],
    ['parts without a version', 'Microsoft.Kusto/clusters', kusto(), [undefined]],
    ['parts with an empty version', 'Microsoft.Kusto/clusters', kusto({ keyVersion: '' }), [undefined]],
    ['a slash behind the vault', 'Microsoft.Kusto/clusters', kusto({ keyVaultUri: `${vault}/` }), [undefined]],
    [
      'parts under names of their own',
      'Microsoft.HDInsight/clusters',
      { diskEncryptionProperties: { vaultUri: vault, keyName: 'files-key', keyVersion: version } },
      [version],
    ],
    [
      'two in an array',
      'Microsoft.ServiceBus/namespaces',
      bus(pair({ keyVersion: version }), pair()),
      [version, undefined],
    ],
    ['the same use twice, told once', 'Microsoft.ServiceBus/namespaces', bus(pair(), pair()), [undefined]],
    [
      'the active and a previous key',
      'Microsoft.Compute/diskEncryptionSets',
      { activeKey: { keyUrl: `${id}/${version}` }, previousKeys: [{ keyUrl: `${id}/${versionName(1)}` }] },
      [version, versionName(1)],
    ],
    ['another key of the vault', 'Microsoft.Sql/servers', { keyId: `${vault}/keys/archive-key/${version}` }, []],
    ['a key whose name only begins the same', 'Microsoft.Sql/servers', { keyId: `${id}-2/${version}` }, []],
    ['another vault', 'Microsoft.Kusto/clusters', kusto({ keyVaultUri: 'https://kv-other.vault.azure.net' }), []],
    ['no properties', 'Microsoft.Sql/servers', null, []],
    ['properties of another shape', 'Microsoft.Compute/diskEncryptionSets', { activeKey: 'none', previousKeys: 3 }, []],
  ])('The uses of the key that a resource names are found, and no others: %s', (_, type, properties, versions) => {
    const found = row(type, properties);
    expect(found?.known ? found.uses.map((use) => use.version) : []).toEqual(versions);
  });
});

describe('a resource that names a key', () => {
  it.each<[sentence: string, type: string, properties: unknown, path: string]>([
    ['an identifier of an unknown type', 'contoso.vaults/boxes', { a: { keyId: `${id}/${version}` } }, 'a.keyId'],
    ['parts', 'contoso.vaults/boxes', { enc: [{ vaultUrl: vault, keyName: 'Files-Key', keyVersion: version }] }, 'enc'],
  ])('A resource that names a key is shown with the key, and an unknown purpose: %s', (_, type, properties, path) => {
    expect(row(type, properties)).toMatchObject({ known: false, uses: [{ path, version }] });
  });

  it('A resource is found by the ARM id of the vault, as an enterprise policy of Power Platform names it', () => {
    const policy = (id: string, key: Record<string, unknown>) =>
      row('microsoft.powerplatform/enterprisepolicies', { encryption: { state: 'Enabled', keyVault: { id, key } } });
    const use = { path: 'encryption.keyVault', version };
    expect(policy(VAULT_ID.toUpperCase(), { name: 'Files-Key', version })).toMatchObject({ known: false, uses: [use] });
    expect(policy(VAULT_ID, { name: 'files-key' })).toMatchObject({ uses: [{ ...use, version: undefined }] });
    expect(policy(VAULT_ID, { name: 'files-key-2', version })).toBeUndefined();
    expect(policy(`${VAULT_ID}-2`, { name: 'files-key', version })).toBeUndefined();
    const flat = { keyVaultArmId: VAULT_ID, cmkKeyName: 'files-key', keyVersion: version };
    expect(row('contoso.vaults/boxes', { flat })).toMatchObject({ uses: [{ path: 'flat', version }] });
  });

  it('A resource of a known type is shown with keys at unknown places, too', () => {
    const older = versionName(3);
    const properties = {
      encryption: { keyVaultProperties: [pair({ keyVersion: version })], previous: `${id}/${older}` },
    };

    expect(row('microsoft.eventhub/namespaces', properties)).toMatchObject({
      known: true,
      uses: [
        { path: 'encryption.keyVaultProperties', version },
        { path: 'encryption.previous', version: older },
      ],
    });
  });

  it.each([
    ['microsoft.web/sites', { url: `${vault}/keys/files-key-2` }],
    ['microsoft.web/sites', { vaultUri: vault, keyName: 'other' }],
    ['microsoft.web/sites', { text: `see ${id}` }],
    ['microsoft.web/sites', null],
    ['microsoft.keyvault/vaults/keys', { keyUri: id }],
  ])(
    'A resource is not a user of the key if it names another key, or is part of the vault: %s %j',
    (type, properties) => {
      expect(row(type, properties)).toBeUndefined();
    },
  );

  it('A resource is searched for keys to a limited depth', () => {
    const deep = Array.from({ length: 10_000 }).reduce<unknown>((inner) => ({ inner }), id);
    expect(row('microsoft.web/sites', deep)).toBeUndefined();
  });
});

describe('the query of Resource Graph', () => {
  it('The query of Resource Graph covers any type, and projects the id, without which there is no next page', () => {
    const query = createVaultUseQuery(KEY.vault);
    expect(query).not.toContain('where type');
    expect(query).toContain(
      'where tostring(properties) contains "kv-files.vault.azure.net" or tostring(properties) contains "/vaults/kv-files"',
    );
    expect(query).toContain('project id,');
  });
});
