import { describe, expect, it } from 'vitest';
import { createKeyVersion, rotateKey } from '../../../local/azure/key-vault/keys.ts';
import type { WorldSettings } from '../../../local/azure/world.ts';
import { vaultFixture } from './fixture.ts';

describe('creating and reading keys', () => {
  it.each([
    ['a key that does not exist', 'GET', '/keys/none/', undefined, 404, 'KeyNotFound'],
    ['a version that does not exist', 'GET', `/keys/k1/${'0'.repeat(32)}`, undefined, 404, 'KeyNotFound'],
    ['a name with an underscore', 'POST', '/keys/a_b/create', { kty: 'RSA' }, 400, 'BadParameter'],
    ['a name of 128 characters', 'POST', `/keys/${'a'.repeat(128)}/create`, { kty: 'RSA' }, 400, 'BadParameter'],
    ['RSA of 1024 bits', 'POST', '/keys/k2/create', { kty: 'RSA', key_size: 1024 }, 400, 'BadParameter'],
    ['an unknown key type', 'POST', '/keys/k2/create', { kty: 'DSA' }, 400, 'BadParameter'],
    ['a symmetric key', 'POST', '/keys/k2/create', { kty: 'oct-HSM' }, 400, 'BadParameter'],
    ['an HSM key in a standard vault', 'POST', '/keys/k2/create', { kty: 'RSA-HSM' }, 400, 'BadParameter'],
    ['no body', 'POST', '/keys/k2/create', undefined, 400, 'BadParameter'],
    ['an unknown key operation', 'POST', '/keys/k2/create', { kty: 'RSA', key_ops: ['sing'] }, 400, 'BadParameter'],
    ['expiry before activation', 'PATCH', '/keys/k1/', { attributes: { nbf: 9e9, exp: 8e9 } }, 400, 'BadParameter'],
    ['16 tags', 'PATCH', '/keys/k1/', { tags: tags(16) }, 400, 'BadParameter'],
    ['a tag value of 257 characters', 'PATCH', '/keys/k1/', { tags: { a: 'x'.repeat(257) } }, 400, 'BadParameter'],
    ['enabled as text', 'PATCH', '/keys/k1/', { attributes: { enabled: 'no' } }, 400, 'BadParameter'],
    [
      'an import without the private key',
      'PUT',
      '/keys/k2',
      { key: { kty: 'RSA', n: 'AQ', e: 'AQAB' } },
      400,
      'BadParameter',
    ],
    ['an operation that does not exist', 'POST', '/keys/k1/v/explode', {}, 404, 'NotFound'],
    ['a method that the path lacks', 'DELETE', '/keys', undefined, 405, 'MethodNotAllowed'],
  ])('Key Vault rejects a request with %s', async (_what, method, path, body, status, code) => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    expect(await ask(method, path, body)).toMatchObject({ status, body: { error: { code } } });
    expect(vault.keys.size).toBe(1);
  });
});

describe('lists', () => {
  it('Key Vault lists 25 versions a page, with a link that has the port and a skip token', async () => {
    const { ask, vault, world } = vaultFixture();
    const { privateKey } = createKeyVersion(world, vault, 'k1');

    for (let made = 1; made < 60; made++) createKeyVersion(world, vault, 'k1', { privateKey });

    const pages: string[][] = [];
    let path = '/keys/k1/versions?x=';
    while (path) {
      const { value, nextLink } = (await ask('GET', path)).body;
      pages.push(value.map((one: { kid: string }) => one.kid));

      if (nextLink) {
        expect(nextLink).toContain('https://kv-test.vault.azure.net:443/keys/k1/versions?api-version=7.6&$skiptoken=');
      }

      path = nextLink
        ? nextLink.replace('https://kv-test.vault.azure.net:443', '').replace('api-version=7.6&', '')
        : '';
    }

    expect(pages.map((one) => one.length)).toEqual([25, 25, 10]);
    expect(new Set(pages.flat()).size).toBe(60);
  });

  it.each<[WorldSettings['versionListOrder'], (made: string[]) => string[]]>([
    [undefined, (made) => made],
    ['oldestFirst', (made) => made],
    ['newestFirst', (made) => made.toReversed()],
    ['byVersion', (made) => made.toSorted()],
  ])(
    'Key Vault lists versions in the order %s of the settings, for none is documented',
    async (versionListOrder, ordered) => {
      const { ask, vault, world } = vaultFixture(versionListOrder ? { versionListOrder } : {});
      const { privateKey, version } = createKeyVersion(world, vault, 'k1');
      const made = [version];
      for (let more = 0; more < 9; more++) made.push(createKeyVersion(world, vault, 'k1', { privateKey }).version);
      const { value } = (await ask('GET', '/keys/k1/versions')).body;
      expect(value.map(({ kid }: { kid: string }) => kid.split('/').at(-1))).toEqual(ordered(made));
    },
  );
});

it('A rotation copies the tags of the key if rotateCopiesTags is on', () => {
  const { vault, world } = vaultFixture({ rotateCopiesTags: true });
  createKeyVersion(world, vault, 'k1', { tags: { a: '1' } });
  expect(rotateKey(world, vault, 'k1').tags).toEqual({ a: '1' });
});

function tags(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, 'x']));
}
