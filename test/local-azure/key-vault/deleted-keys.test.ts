import { describe, expect, it } from 'vitest';
import { createKeyVersion } from '../../../local/azure/key-vault/keys.ts';
import { vaultFixture } from './fixture.ts';

describe('a deleted key', () => {
  it('is gone, can be looked at, and its name is taken', async () => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');

    const deleted = await ask('DELETE', '/keys/k1');

    expect(deleted.body).toMatchObject({ recoveryId: 'https://kv-test.vault.azure.net/deletedkeys/k1' });
    expect(deleted.body.scheduledPurgeDate - deleted.body.deletedDate).toBe(90 * 86_400);
    expect((await ask('GET', '/keys/k1/')).status).toBe(404);
    expect((await ask('GET', '/deletedkeys/k1')).body.key.kid).toBe(deleted.body.key.kid);
    expect((await ask('GET', '/deletedkeys')).body.value).toHaveLength(1);
    expect(await ask('POST', '/keys/k1/create', { kty: 'RSA' })).toMatchObject({
      status: 409,
      body: { error: { code: 'Conflict', innererror: { code: 'ObjectIsDeletedButRecoverable' } } },
    });
  });

  it('comes back with every version as it was, policy included', async () => {
    const { ask, vault, world } = vaultFixture();
    const first = createKeyVersion(world, vault, 'k1', { enabled: false });
    const second = createKeyVersion(world, vault, 'k1');
    await ask('PUT', '/keys/k1/rotationpolicy', { attributes: { expiryTime: 'P90D' } });
    await ask('DELETE', '/keys/k1');

    expect((await ask('POST', '/deletedkeys/k1/recover')).status).toBe(200);

    expect(vault.keys.get('k1')?.versions).toEqual([first, second]);
    expect((await ask('GET', '/keys/k1/rotationpolicy')).body.attributes.expiryTime).toBe('P90D');
    expect((await ask('GET', '/deletedkeys/k1')).status).toBe(404);
  });

  it('cannot be purged while the vault has purge protection', async () => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    await ask('DELETE', '/keys/k1');
    const refused = await ask('DELETE', '/deletedkeys/k1');
    expect(refused).toMatchObject({ status: 403, body: { error: { code: 'Forbidden' } } });
    expect(vault.deletedKeys.has('k1')).toBe(true);
  });
});
