import { constants, createHash, createPublicKey, privateDecrypt, publicEncrypt, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createKeyVersion } from '../../../local/azure/key-vault/keys.ts';
import type { KeyVersion } from '../../../local/azure/world.ts';
import { vaultFixture } from './fixture.ts';

const secret = Buffer.from('an account encryption key, 32 B.');
const value = secret.toString('base64url');

describe('wrap and unwrap', () => {
  it.each(['RSA-OAEP', 'RSA-OAEP-256', 'RSA1_5'])('go there and back with %s', async (alg) => {
    const { ask, vault, world } = vaultFixture();
    const { version } = createKeyVersion(world, vault, 'k1');
    createKeyVersion(world, vault, 'k1');

    const wrapped = (await ask('POST', `/keys/k1/${version}/wrapkey`, { alg, value })).body;
    const unwrapped = (await ask('POST', `/keys/k1/${version}/unwrapkey`, { alg, value: wrapped.value })).body;

    expect(wrapped.kid).toBe(`https://kv-test.vault.azure.net/keys/k1/${version}`);
    expect(unwrapped.value).toBe(value);
    // The newest version is another key.
    expect((await ask('POST', '/keys/k1/unwrapkey', { alg: 'RSA-OAEP', value: wrapped.value })).body.value).not.toBe(
      value,
    );
  });

  it('are the RSA of everyone else', async () => {
    const { ask, vault, world } = vaultFixture();
    const { privateKey } = createKeyVersion(world, vault, 'k1');
    const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };

    const wrapped = (await ask('POST', '/keys/k1/wrapkey', { alg: 'RSA-OAEP-256', value })).body.value;
    const local = publicEncrypt({ key: createPublicKey(privateKey), ...padding }, secret).toString('base64url');

    expect(privateDecrypt({ key: privateKey, ...padding }, Buffer.from(String(wrapped), 'base64url'))).toEqual(secret);
    expect((await ask('POST', '/keys/k1/unwrapkey', { alg: 'RSA-OAEP-256', value: local })).body.value).toBe(value);
  });

  const forward = ['wrapkey', 'encrypt'];
  const backward = ['unwrapkey', 'decrypt'];
  it.each<[string, Partial<KeyVersion>, string[], string[]]>([
    ['a disabled key does nothing', { enabled: false }, [], [...forward, ...backward]],
    ['an expired key still unwraps and decrypts', { exp: 1_000_000 }, backward, forward],
    ['a key that is not active yet still unwraps and decrypts', { nbf: 9e9 }, backward, forward],
    ['a key does what its operations say', { keyOps: ['unwrapKey'] }, ['unwrapkey'], [...forward, 'decrypt']],
  ])('%s', async (_what, change, allowed, refused) => {
    const { ask, vault, world } = vaultFixture();
    const version = createKeyVersion(world, vault, 'k1');
    const wrapped = (await ask('POST', '/keys/k1/encrypt', { alg: 'RSA-OAEP', value })).body.value;
    Object.assign(version, change);

    for (const operation of allowed) {
      const answer = await ask('POST', `/keys/k1/${operation}`, { alg: 'RSA-OAEP', value: wrapped });
      expect(answer, operation).toMatchObject({ status: 200, body: { value } });
    }
    for (const operation of refused) {
      const answer = await ask('POST', `/keys/k1/${operation}`, { alg: 'RSA-OAEP', value: wrapped });
      expect(answer, operation).toMatchObject({ status: 403, body: { error: { code: 'Forbidden' } } });
    }
  });

  it.each([
    ['an unknown algorithm', { alg: 'RSA-OAEP-512', value }],
    ['a value that is no base64url', { alg: 'RSA-OAEP', value: 'a b' }],
    ['more bytes than the key takes', { alg: 'RSA-OAEP', value: Buffer.alloc(300).toString('base64url') }],
  ])('refuse %s', async (_what, body) => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    expect(await ask('POST', '/keys/k1/wrapkey', body)).toMatchObject({ status: 400 });
  });
});

describe('sign and verify', () => {
  const digest = createHash('sha256').update('the end of a day').digest();
  const signed = (key: KeyVersion, alg: string, signature: Buffer): boolean => {
    const options =
      alg === 'ES256'
        ? { dsaEncoding: 'ieee-p1363' as const }
        : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    const publicKey = { key: createPublicKey(key.privateKey), ...options };
    return verify('sha256', Buffer.from('the end of a day'), publicKey, signature);
  };

  it.each<[string, Partial<Parameters<typeof createKeyVersion>[3]>]>([
    ['ES256', { kty: 'EC' }],
    ['PS256', { kty: 'RSA' }],
    ['PS256', { kty: 'RSA', keySize: 3072 }],
  ])('are the %s of everyone else', async (alg, material) => {
    const { ask, vault, world } = vaultFixture();
    const version = createKeyVersion(world, vault, 'k1', material);
    for (let n = 0; n < 10; n++) {
      const { body } = await ask('POST', `/keys/k1/${version.version}/sign`, {
        alg,
        value: digest.toString('base64url'),
      });
      expect(body.kid).toBe(`https://kv-test.vault.azure.net/keys/k1/${version.version}`);
      const signature = Buffer.from(String(body.value), 'base64url');
      expect(signed(version, alg, signature)).toBe(true);
      const right = { alg, digest: digest.toString('base64url'), value: body.value };
      expect((await ask('POST', '/keys/k1/verify', right)).body).toEqual({ value: true });
      const other = { ...right, digest: createHash('sha256').update('another').digest('base64url') };
      expect((await ask('POST', '/keys/k1/verify', other)).body).toEqual({ value: false });
      signature[n * 3] = (signature[n * 3] ?? 0) ^ 1;
      const changed = { ...right, value: signature.toString('base64url') };
      expect((await ask('POST', '/keys/k1/verify', changed)).body).toEqual({ value: false });
    }
  });

  it.each([
    ['an algorithm of another type of key', { alg: 'PS256', value: digest.toString('base64url') }],
    ['a digest of another length', { alg: 'ES256', value: Buffer.alloc(20).toString('base64url') }],
    ['no base64url', { alg: 'ES256', value: 'a b' }],
  ])('refuse %s', async (_what, body) => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { kty: 'EC' });
    expect(await ask('POST', '/keys/k1/sign', body)).toMatchObject({ status: 400 });
  });
});
