import { describe, expect, it } from 'vitest';
import { createKeyVersion, resumeVault } from '../../../local/azure/key-vault/keys.ts';
import { vaultFixture } from './fixture.ts';

const day = 86_400_000;
const policy = {
  lifetimeActions: [
    { trigger: { timeAfterCreate: 'P15D' }, action: { type: 'rotate' } },
    { trigger: { timeBeforeExpiry: 'P7D' }, action: { type: 'Notify' } },
  ],
  attributes: { expiryTime: 'P30D' },
};

describe('a rotation policy', () => {
  it('is shown as it was put, with its times', async () => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    const put = (await ask('PUT', '/keys/k1/rotationpolicy', policy)).body;
    expect(put).toMatchObject({
      id: 'https://kv-test.vault.azure.net/keys/k1/rotationpolicy',
      lifetimeActions: [
        { trigger: { timeAfterCreate: 'P15D' }, action: { type: 'Rotate' } },
        { trigger: { timeBeforeExpiry: 'P7D' }, action: { type: 'Notify' } },
      ],
      attributes: { expiryTime: 'P30D', created: expect.any(Number), updated: expect.any(Number) },
    });
    expect((await ask('GET', '/keys/k1/rotationpolicy')).body).toEqual(put);
  });

  it('is a notice of 30 days where none was put', async () => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    expect((await ask('GET', '/keys/k1/rotationpolicy')).body).toMatchObject({
      lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Notify' } }],
      attributes: {},
    });
  });

  it.each([
    ['an expiry below 28 days', { attributes: { expiryTime: 'P27D' } }],
    ['an expiry that is no duration', { attributes: { expiryTime: '90' } }],
    ['an expiry with hours', { attributes: { expiryTime: 'PT720H' } }],
    ['a rotation sooner than 7 days', { lifetimeActions: [rotate({ timeAfterCreate: 'P6D' })] }],
    [
      'a rotation within 7 days of expiry',
      { lifetimeActions: [rotate({ timeAfterCreate: 'P24D' })], attributes: { expiryTime: 'P30D' } },
    ],
    ['a rotation before expiry without an expiry', { lifetimeActions: [rotate({ timeBeforeExpiry: 'P30D' })] }],
    ['a trigger without a time', { lifetimeActions: [rotate({})] }],
    ['a trigger with two times', { lifetimeActions: [rotate({ timeAfterCreate: 'P30D', timeBeforeExpiry: 'P30D' })] }],
    ['an unknown action', { lifetimeActions: [{ trigger: { timeAfterCreate: 'P30D' }, action: { type: 'Delete' } }] }],
    ['two rotations', { lifetimeActions: [rotate({ timeAfterCreate: 'P30D' }), rotate({ timeAfterCreate: 'P60D' })] }],
  ])('is refused with %s', async (_what, body) => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    expect(await ask('PUT', '/keys/k1/rotationpolicy', body)).toMatchObject({
      status: 400,
      body: { error: { code: 'BadParameter' } },
    });
    expect(vault.keys.get('k1')?.rotationPolicy).toBeUndefined();
  });

  it('rotates when its time comes, again and again, each version with its own expiry', async () => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    await ask('PUT', '/keys/k1/rotationpolicy', policy);
    const versions = () => vault.keys.get('k1')?.versions ?? [];

    world.clock.advance(14.9 * day);
    expect(versions()).toHaveLength(1);
    world.clock.advance(0.2 * day);
    expect(versions()).toHaveLength(2);
    world.clock.advance(15 * day + 1000);
    expect(versions()).toHaveLength(3);
    const newest = versions().at(-1);
    expect((newest?.exp ?? 0) - (newest?.created ?? 0)).toBe(30 * 86_400);
  });

  it('counts from the version that is the newest: a rotation by hand starts the time anew', async () => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    await ask('PUT', '/keys/k1/rotationpolicy', policy);
    world.clock.advance(10 * day);
    await ask('POST', '/keys/k1/rotate');
    world.clock.advance(10 * day);
    expect(vault.keys.get('k1')?.versions).toHaveLength(2);
    world.clock.advance(5.1 * day);
    expect(vault.keys.get('k1')?.versions).toHaveLength(3);
  });

  it('leaves imported key material alone', async () => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { imported: true });
    await ask('PUT', '/keys/k1/rotationpolicy', policy);
    world.clock.advance(60 * day);
    expect(vault.keys.get('k1')?.versions).toHaveLength(1);
  });

  it('does nothing for a deleted key, and goes on when it is recovered', async () => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    await ask('PUT', '/keys/k1/rotationpolicy', policy);
    await ask('DELETE', '/keys/k1');
    world.clock.advance(14 * day);
    await ask('POST', '/deletedkeys/k1/recover');
    expect(vault.keys.get('k1')?.versions).toHaveLength(1);
    world.clock.advance(1.1 * day);
    expect(vault.keys.get('k1')?.versions).toHaveLength(2);
  });
});

describe('expiry events', () => {
  const seconds = (at: number): number => Math.floor(at / 1000);
  const types = (events: { type: string }[]): string[] =>
    events.map(({ type }) => type.replace('Microsoft.KeyVault.Key', ''));

  it('come 30 days before expiry and at expiry', () => {
    const { events, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { exp: seconds(world.clock.nowMs() + 40 * day) });
    world.clock.advance(9 * day);
    expect(types(events)).toEqual(['NewVersionCreated']);
    world.clock.advance(1.1 * day);
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry']);
    world.clock.advance(30 * day);
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry', 'Expired']);
  });

  it('come by the notice of the policy', async () => {
    const { ask, events, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { exp: seconds(world.clock.nowMs() + 100 * day) });
    const notify = { trigger: { timeBeforeExpiry: 'P60D' }, action: { type: 'Notify' } };
    await ask('PUT', '/keys/k1/rotationpolicy', { lifetimeActions: [notify], attributes: { expiryTime: 'P1Y' } });
    world.clock.advance(41 * day);
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry']);
  });

  it('come at once for a key made inside the window', () => {
    const { events, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { exp: seconds(world.clock.nowMs() + day) });
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry']);
  });

  it('come once, and in order, however far the clock jumps', () => {
    const { events, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { exp: seconds(world.clock.nowMs() + 40 * day) });
    world.clock.advance(400 * day);
    world.clock.advance(400 * day);
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry', 'Expired']);
  });

  it('do not come for a version that is no longer the newest, nor for a deleted key', async () => {
    const { ask, events, vault, world } = vaultFixture();
    const exp = seconds(world.clock.nowMs() + 40 * day);
    createKeyVersion(world, vault, 'superseded', { exp });
    createKeyVersion(world, vault, 'superseded');
    createKeyVersion(world, vault, 'deleted', { exp });
    await ask('DELETE', '/keys/deleted');
    world.clock.advance(50 * day);
    expect(types(events)).toEqual(['NewVersionCreated', 'NewVersionCreated', 'NewVersionCreated']);
  });

  it('do not come while the vault is deleted, and do when it is recovered', () => {
    const { events, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { exp: seconds(world.clock.nowMs() + 40 * day) });
    world.vaults.delete(vault.name);
    world.clock.advance(20 * day);
    expect(types(events)).toEqual(['NewVersionCreated']);
    world.vaults.set(vault.name, vault);
    resumeVault(world, vault);
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry']);
  });

  it('follow an expiry that is moved', async () => {
    const { ask, events, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { exp: seconds(world.clock.nowMs() + 40 * day) });
    await ask('PATCH', '/keys/k1/', { attributes: { exp: seconds(world.clock.nowMs() + 100 * day) } });
    world.clock.advance(60 * day);
    expect(types(events)).toEqual(['NewVersionCreated']);
    world.clock.advance(11 * day);
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry']);
    await ask('PATCH', '/keys/k1/', { attributes: { exp: seconds(world.clock.nowMs() + 10 * day) } });
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry', 'NearExpiry']);
  });
});

function rotate(trigger: Record<string, string>) {
  return { trigger, action: { type: 'Rotate' } };
}
