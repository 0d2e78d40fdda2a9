import { describe, expect, it } from 'vitest';
import { vaultFixture } from './fixture.ts';

describe('backup and restore', () => {
  it('bring a purged key back with its versions, attributes and tags', async () => {
    const { ask, world } = vaultFixture({}, { enablePurgeProtection: false });
    await ask('POST', '/keys/k1/create', { kty: 'RSA', tags: { owner: 'me' } });
    const newest = (await ask('POST', '/keys/k1/create', { kty: 'RSA', attributes: { enabled: false } })).body.key.kid;
    const { value } = (await ask('POST', '/keys/k1/backup')).body;

    const there = await ask('POST', '/keys/restore', { value });
    expect([there.status, there.body.error.code]).toEqual([409, 'Conflict']);
    await ask('DELETE', '/keys/k1');
    expect((await ask('POST', '/keys/restore', { value })).body.error.innererror.code).toBe(
      'ObjectIsDeletedButRecoverable',
    );
    await ask('DELETE', '/deletedkeys/k1');
    const restored = await ask('POST', '/keys/restore', { value });

    expect([restored.status, restored.body.key.kid, restored.body.attributes.enabled]).toEqual([200, newest, false]);
    expect((await ask('GET', '/keys/k1/versions')).body.value).toMatchObject([{ tags: { owner: 'me' } }, {}]);
    expect(world.settings.keyDeletionMs).toBe(0);
  });

  it('refuse a blob that is none', async () => {
    const { ask } = vaultFixture();
    const { status, body } = await ask('POST', '/keys/restore', { value: 'bm8gYmxvYg' });
    expect([status, body.error.code]).toEqual([400, 'BadParameter']);
    expect((await ask('POST', '/keys/nothing/backup')).status).toBe(404);
  });
});

describe('deleting a key, where it takes time', () => {
  it('leaves it neither there nor among the deleted ones until it is over', async () => {
    const { ask, world } = vaultFixture({}, { enablePurgeProtection: false });
    world.settings.keyDeletionMs = 15_000;
    await ask('POST', '/keys/k1/create', { kty: 'RSA' });
    await ask('DELETE', '/keys/k1');

    expect((await ask('GET', '/keys/k1')).status).toBe(404);
    expect((await ask('GET', '/deletedkeys/k1')).status).toBe(404);
    expect((await ask('GET', '/deletedkeys')).body.value).toEqual([]);
    for (const [method, path] of [
      ['POST', '/deletedkeys/k1/recover'] as const,
      ['DELETE', '/deletedkeys/k1'] as const,
    ]) {
      const { status, body } = await ask(method, path);
      expect([status, body.error.innererror.code]).toEqual([409, 'ObjectIsBeingDeleted']);
    }
    await world.clock.advance(15_000);
    expect((await ask('POST', '/deletedkeys/k1/recover')).status).toBe(200);
  });
});
