import { describe, expect, it } from 'vitest';
import { createKeyVersion } from '../../../local/azure/key-vault/keys.ts';
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
  it('A key without a rotation policy reports a notice 30 days before expiry', async () => {
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
  ])('Key Vault rejects a rotation policy with %s', async (_what, body) => {
    const { ask, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1');
    expect(await ask('PUT', '/keys/k1/rotationpolicy', body)).toMatchObject({
      status: 400,
      body: { error: { code: 'BadParameter' } },
    });
    expect(vault.keys.get('k1')?.rotationPolicy).toBeUndefined();
  });

  it('A key with a rotation policy rotates each time that it is due, and each version gets its own expiry', async () => {
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
});

describe('expiry events', () => {
  const seconds = (at: number): number => Math.floor(at / 1000);
  const types = (events: { type: string }[]): string[] =>
    events.map(({ type }) => type.replace('Microsoft.KeyVault.Key', ''));

  it('Key Vault sends an event 30 days before expiry and one at expiry', () => {
    const { events, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { exp: seconds(world.clock.nowMs() + 40 * day) });
    world.clock.advance(9 * day);
    expect(types(events)).toEqual(['NewVersionCreated']);
    world.clock.advance(1.1 * day);
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry']);
    world.clock.advance(30 * day);
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry', 'Expired']);
  });

  it('Key Vault sends the near-expiry event at the time that the rotation policy names', async () => {
    const { ask, events, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { exp: seconds(world.clock.nowMs() + 100 * day) });
    const notify = { trigger: { timeBeforeExpiry: 'P60D' }, action: { type: 'Notify' } };
    await ask('PUT', '/keys/k1/rotationpolicy', { lifetimeActions: [notify], attributes: { expiryTime: 'P1Y' } });
    world.clock.advance(41 * day);
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry']);
  });

  it('Key Vault sends the near-expiry event at once for a new key that expires within 30 days', () => {
    const { events, vault, world } = vaultFixture();
    createKeyVersion(world, vault, 'k1', { exp: seconds(world.clock.nowMs() + day) });
    expect(types(events)).toEqual(['NewVersionCreated', 'NearExpiry']);
  });

  it('Key Vault sends no expiry event for a superseded version or a deleted key', async () => {
    const { ask, events, vault, world } = vaultFixture();
    const exp = seconds(world.clock.nowMs() + 40 * day);
    createKeyVersion(world, vault, 'superseded', { exp });
    createKeyVersion(world, vault, 'superseded');
    createKeyVersion(world, vault, 'deleted', { exp });
    await ask('DELETE', '/keys/deleted');
    world.clock.advance(50 * day);
    expect(types(events)).toEqual(['NewVersionCreated', 'NewVersionCreated', 'NewVersionCreated']);
  });
});

function rotate(trigger: Record<string, string>) {
  return { trigger, action: { type: 'Rotate' } };
}
