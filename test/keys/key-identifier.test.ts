import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKeyIdentifier, parseVault } from '../../src/keys/key-identifier.ts';

const VERSION = 'ee059b2bb5bc48398a53b168c6cdcb10';

describe('parseKeyIdentifier', () => {
  it.each([
    ['with a version', `https://kv-files.vault.azure.net/keys/files-key/${VERSION}`, VERSION],
    ['without a version', 'https://kv-files.vault.azure.net/keys/files-key', undefined],
    ['with a trailing slash', 'https://kv-files.vault.azure.net/keys/files-key/', undefined],
    ['with the default port', `https://kv-files.vault.azure.net:443/keys/files-key/${VERSION}`, VERSION],
    ['with an upper-case host', `HTTPS://KV-Files.Vault.Azure.NET/keys/files-key/${VERSION}`, VERSION],
    ['with an upper-case version', `https://kv-files.vault.azure.net/keys/files-key/${VERSION.toUpperCase()}`, VERSION],
  ])('parseKeyIdentifier reads an identifier %s', (_, text, version) => {
    expect(parseKeyIdentifier(text)).toEqual({
      kind: 'vault',
      vaultName: 'kv-files',
      vaultUri: 'https://kv-files.vault.azure.net',
      keyName: 'files-key',
      version,
    });
  });

  it.each([
    ['vault', 'https://kv1.vault.usgovcloudapi.net'],
    ['vault', 'https://kv1.vault.azure.cn'],
    ['managedHsm', 'https://hsm1.managedhsm.azure.net'],
    ['managedHsm', 'https://hsm1.managedhsm.usgovcloudapi.net'],
    ['managedHsm', 'https://hsm1.managedhsm.azure.cn'],
  ])('parseKeyIdentifier knows a %s of every cloud: %s', (kind, vaultUri) => {
    expect(parseKeyIdentifier(`${vaultUri}/keys/k`)).toMatchObject({ kind, vaultUri, keyName: 'k' });
  });

  it.each([
    ['another scheme', 'http://kv-files.vault.azure.net/keys/files-key'],
    ['another port', 'https://kv-files.vault.azure.net:8443/keys/files-key'],
    ['a user', 'https://me@kv-files.vault.azure.net/keys/files-key'],
    ['another host', 'https://kv-files.example.com/keys/files-key'],
    ['a host that only ends like one', 'https://kv-files.evilvault.azure.net/keys/files-key'],
    ['a host that only starts like one', 'https://kv-files.vault.azure.net.example.com/keys/files-key'],
    ['a nested host', 'https://a.kv-files.vault.azure.net/keys/files-key'],
    ['the bare suffix', 'https://vault.azure.net/keys/files-key'],
    ['a secret', 'https://kv-files.vault.azure.net/secrets/files-key'],
    ['upper-case "keys"', 'https://kv-files.vault.azure.net/Keys/files-key'],
    ['a longer path', `https://kv-files.vault.azure.net/keys/files-key/${VERSION}/wrapkey`],
    ['no key', 'https://kv-files.vault.azure.net/keys/'],
    ['a short version', 'https://kv-files.vault.azure.net/keys/files-key/1234'],
    ['a key name with a dot', 'https://kv-files.vault.azure.net/keys/files.key'],
    ['a query', 'https://kv-files.vault.azure.net/keys/files-key?x=1'],
    ['a fragment', 'https://kv-files.vault.azure.net/keys/files-key#x'],
    ['a path that climbs', 'https://kv-files.vault.azure.net/secrets/../keys/files-key'],
    ['an escaped path', 'https://kv-files.vault.azure.net/keys/files%2Dkey'],
    ['backslashes', 'https:\\\\kv-files.vault.azure.net\\keys\\files-key'],
    ['white space', 'https://kv-files.vault.azure.net/keys/files-key\n'],
    ['nothing', ''],
  ])('parseKeyIdentifier rejects %s', (_, text) => {
    expect(parseKeyIdentifier(text)).toBeUndefined();
  });

  it('parseKeyIdentifier never returns a host outside Key Vault, whatever its input', () => {
    const part = fc.oneof(
      fc.string(),
      fc.constantFrom('https://', 'kv1', '.vault.azure.net', '/keys/', 'k', '@', ':', '..', '%2e'),
    );

    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const parsed = parseKeyIdentifier(parts.join(''));
        return (
          !parsed ||
          /^https:\/\/[a-z0-9-]+\.(vault|managedhsm)\.(azure\.net|usgovcloudapi\.net|azure\.cn)$/.test(parsed.vaultUri)
        );
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('parseVault', () => {
  it.each(['https://kv1.vault.azure.net', 'https://KV1.vault.azure.net/', 'https://kv1.vault.azure.net:443/'])(
    'parseVault reads %s',
    (uri) => {
      expect(parseVault(uri)?.vaultUri).toBe('https://kv1.vault.azure.net');
    },
  );

  it.each(['https://kv1.vault.azure.net/keys', 'https://1kv.vault.azure.net', 'kv1.vault.azure.net', ''])(
    'parseVault rejects %j',
    (uri) => {
      expect(parseVault(uri)).toBeUndefined();
    },
  );
});
