import { describe, expect, it } from 'vitest';
import type { KeyVersion } from '../../local/azure/world.ts';
import { rotateNearExpiry } from '../../src/rotation/rotate-near-expiry.ts';
import type { Services } from '../../src/services.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

const DAY = 86_400;
/** A key whose one version expires in 20 days, having lived for 345. */
function nearing(options: Partial<Pick<KeyVersion, 'tags' | 'enabled' | 'imported'>> = {}): TestKey {
  const now = wire.azure.clock.nowSeconds();
  return new TestKey(wire.azure.world, 'kv-files', { nbf: now - 345 * DAY, exp: now + 20 * DAY, ...options });
}
const versions = (key: TestKey) => key.vault.keys.get(key.name)?.versions ?? [];
function near(key: TestKey, version = key.first.version, services: Services = wire.services()) {
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error(`${key.id()} is in no managed vault.`);
  return rotateNearExpiry(managed, version, services, wire.log);
}

describe('a key that nears its expiry', () => {
  it('is rotated; the new version has the tags, and lives as long as the one before', async () => {
    const key = nearing({ tags: { owner: 'files' } });
    const outcome = await near(key);
    const [, next] = versions(key);
    expect(outcome).toEqual({ reason: 'Rotated', to: key.id(next) });
    expect(next).toMatchObject({ enabled: true, tags: { owner: 'files' } });
    expect((next?.exp ?? 0) - (next?.created ?? 0)).toBe(365 * DAY);
    expect(wire.records).toMatchObject([{ level: 'info', reason: 'Rotated', key: key.id(), to: key.id(next) }]);
  });

  it('keeps tags where Key Vault copies them by itself', async () => {
    wire.azure.world.settings.rotateCopiesTags = true;
    const key = nearing({ tags: { owner: 'files' } });
    await near(key);
    expect(versions(key)[1]?.tags).toEqual({ owner: 'files' });
  });

  it('is left to a rotation policy that rotates by itself', async () => {
    const key = nearing();
    const found = key.vault.keys.get(key.name);
    if (found) {
      found.rotationPolicy = {
        attributes: { expiryTime: 'P2Y', created: 0, updated: 0 },
        lifetimeActions: [{ action: { type: 'Rotate' }, trigger: { timeBeforeExpiry: 'P30D' } }],
      };
    }
    expect(await near(key)).toEqual({ reason: 'PolicyRotates' });
    expect(versions(key)).toHaveLength(1);
    expect(wire.records).toMatchObject([{ level: 'info', reason: 'PolicyRotates' }]);
  });

  it('that Key Vault itself notifies about by policy, and does not rotate, is rotated', async () => {
    const key = nearing();
    const found = key.vault.keys.get(key.name);
    if (found) {
      found.rotationPolicy = {
        attributes: { expiryTime: 'P1Y', created: 0, updated: 0 },
        lifetimeActions: [{ action: { type: 'Notify' }, trigger: { timeBeforeExpiry: 'P30D' } }],
      };
    }
    expect(await near(key)).toMatchObject({ reason: 'Rotated' });
    expect(versions(key)).toHaveLength(2);
  });

  it.each([
    ['is tagged to be rotated by hand', { tags: { 'cmk-rotation': 'manual' } }, 'ManualRotation'],
    ['is tagged as imported key material', { tags: { 'cmk-origin': 'imported' } }, 'ImportedKey'],
    ['has a newest version that is disabled', { enabled: false }, 'KeyDisabled'],
  ])('that %s is not rotated, and somebody is told', async (_, options, reason) => {
    const key = nearing(options);
    expect(await near(key)).toEqual({ reason });
    expect(versions(key)).toHaveLength(1);
    expect(wire.records).toMatchObject([{ level: 'error', reason, key: key.id() }]);
  });

  it('that Key Vault refuses to rotate, because its material is imported, is told about and not asked for again', async () => {
    const key = nearing({ imported: true });
    expect(await near(key)).toEqual({ reason: 'RotationRefused' });
    expect(versions(key)).toHaveLength(1);
    expect(wire.records).toMatchObject([
      { level: 'error', reason: 'RotationRefused', message: expect.stringContaining('imported') },
    ]);
  });

  it('that is revoked is not rotated', async () => {
    const key = nearing({ enabled: false });
    key.first.tags = {
      'cmk-revocation': `r1 ${wire.azure.clock.now().toISOString()} somebody ${key.first.version}`,
    };
    expect(await near(key)).toEqual({ reason: 'RevocationOpen' });
    expect(versions(key)).toHaveLength(1);
  });

  it('by an event about a version that is no longer the newest is rotated already', async () => {
    const key = nearing();
    key.add({ exp: wire.azure.clock.nowSeconds() + 300 * DAY });
    expect(await near(key)).toEqual({ reason: 'AlreadyRotated' });
    expect(versions(key)).toHaveLength(2);
  });

  it('does not exist any more: said', async () => {
    const key = nearing();
    key.vault.keys.delete(key.name);
    expect(await near(key)).toEqual({ reason: 'KeyNotFound' });
  });

  it('is rotated once when its event comes twice, one after the other or at the same time', async () => {
    const key = nearing();
    const services = wire.services();
    const outcomes = await Promise.all([1, 2].map(() => near(key, key.first.version, services)));
    expect(outcomes.map(({ reason }) => reason).sort()).toEqual(['AlreadyRotated', 'Rotated']);
    expect(await near(key)).toEqual({ reason: 'AlreadyRotated' });
    expect(versions(key)).toHaveLength(2);
  });
});

describe('when Key Vault does not answer as wished', () => {
  const rotate = (key: TestKey) => ({ method: 'POST', path: `/keys/${key.name}/rotate` });

  it.each([
    ['throttles', { answer: { status: 429, headers: { 'Retry-After': '0' } } }],
    ['is unavailable', { answer: { status: 503 } }],
    ['does not let the app rotate (yet)', { answer: { status: 403, body: { error: { code: 'Forbidden' } } } }],
  ])('it throws, so that Event Grid delivers again, when Key Vault %s', async (_, effect) => {
    const key = nearing();
    wire.azure.faults.add([{ match: rotate(key), ...effect }]);
    await expect(near(key)).rejects.toThrow();
    expect(versions(key)).toHaveLength(1);

    wire.azure.faults.clear();
    expect(await near(key)).toMatchObject({ reason: 'Rotated' });
  });

  it('says that a new version could not be given its expiry, and keeps it', async () => {
    const key = nearing({ tags: { owner: 'files' } });
    wire.azure.faults.add([
      {
        match: { method: 'PATCH', path: `/keys/${key.name}/` },
        answer: { status: 403, body: { error: { code: 'Forbidden' } } },
      },
    ]);
    expect(await near(key)).toMatchObject({ reason: 'Rotated' });
    expect(versions(key)).toHaveLength(2);
    expect(wire.records).toMatchObject([{ level: 'error', reason: 'RotationIncomplete' }, { reason: 'Rotated' }]);
  });

  it.each([
    ['was broken off after the new version was made', []],
    ['could not be completed at first', [{ answer: { status: 503 } }]],
  ])('completes a rotation that %s, when the event is delivered again', async (_, faults) => {
    const key = nearing({ tags: { owner: 'files' } });
    const match = { method: 'PATCH', path: `/keys/${key.name}/` };
    wire.azure.faults.add(faults.map((fault) => ({ match, ...fault })));
    if (faults.length === 0) key.add({ tags: {} });
    else await expect(near(key)).rejects.toThrow();
    wire.azure.faults.clear();
    expect(versions(key)).toMatchObject([{}, { exp: undefined }]);

    const [, next] = versions(key);
    expect(await near(key)).toEqual({ reason: 'Rotated', to: key.id(next) });
    expect(versions(key)).toMatchObject([{}, { tags: { owner: 'files' } }]);
    expect((next?.exp ?? 0) - (next?.created ?? 0)).toBe(365 * DAY);
    expect(await near(key)).toEqual({ reason: 'AlreadyRotated' });
  });

  it('gives no expiry to a version that somebody made without one, and kept so for a day', async () => {
    const key = nearing();
    key.add();
    wire.azure.clock.advance((DAY + 60) * 1_000);
    expect(await near(key)).toEqual({ reason: 'AlreadyRotated' });
    expect(versions(key)[1]?.exp).toBeUndefined();
  });

  it('rotates once more at most when the answer to a rotation is lost', async () => {
    const key = nearing();
    wire.azure.faults.add([{ match: rotate(key), times: 1, resetAfter: true }]);
    await near(key).catch(() => undefined);
    await near(key);
    // The SDK asks again by itself when a connection is cut; the newest version counts in any case.
    expect(versions(key).length).toBeLessThanOrEqual(3);
    expect(versions(key).at(-1)?.exp).toBeGreaterThan(wire.azure.clock.nowSeconds() + 60 * DAY - 60);
  });
});
