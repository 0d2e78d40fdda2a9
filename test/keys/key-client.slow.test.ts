import { describe, expect, it } from 'vitest';
import { addKeyVersion } from '../../local/azure/fleet.ts';
import { describeFailure } from '../../src/azure/failure.ts';
import { findNewestVersion } from '../../src/keys/key-versions.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { Services } from '../../src/services.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

const keyIn = (vault = 'kv-files') => new TestKey(wire.azure.world, vault);
function managed(key: TestKey, services: Services): ManagedKey {
  const found = services.settings.vaults.key(key.id());
  if (!found) throw new Error(`${key.id()} is in no managed vault.`);
  return found;
}
const asked = (since: number) =>
  wire.azure.requests
    .since(since)
    .filter(({ host }) => host.endsWith('.vault.azure.net'))
    .map(({ method, path, status }) => `${method} ${path.split('?')[0]} ${status}`);

describe('listVersions', () => {
  it('listVersions returns every version, oldest first, whatever its state', async () => {
    const services = wire.services();
    const key = keyIn();
    const now = wire.azure.clock.nowSeconds();
    const disabled = key.add({ enabled: false });
    const expired = key.add({ exp: now - 10, nbf: now - 20 });
    const later = key.add({ nbf: now + 3_600, tags: { a: 'b' } });
    const versions = await services.keys.listVersions(managed(key, services));

    expect(versions.map(({ version }) => version)).toEqual(
      [key.first, disabled, expired, later].map(({ version }) => version),
    );

    expect(versions).toMatchObject([
      { id: key.id(key.first), enabled: true, notBefore: undefined, expiresOn: undefined, tags: {} },
      { enabled: false },
      { expiresOn: new Date((now - 10) * 1000), notBefore: new Date((now - 20) * 1000) },
      { notBefore: new Date((now + 3_600) * 1000), tags: { a: 'b' } },
    ]);
  });

  it('listVersions sends one request, and a second only if two versions were created in the same second', async () => {
    const services = wire.services();
    const key = keyIn();
    const { created } = key.add();

    await services.keys.listVersions(managed(key, services)); // fetches the token

    let since = wire.azure.requests.last;

    await services.keys.listVersions(managed(key, services));

    expect(asked(since)).toEqual([`GET /keys/${key.name}/versions 200`]);

    const last = Object.assign(addKeyVersion(wire.azure.world, key.vault, key.name), { created });

    since = wire.azure.requests.last;

    const versions = await services.keys.listVersions(managed(key, services));

    expect(asked(since)).toEqual([`GET /keys/${key.name}/versions 200`, `GET /keys/${key.name}/ 200`]);
    expect(findNewestVersion(versions)?.version).toBe(last.version);
  });

  it('listVersions throws errors that distinguish a missing right from throttling', async () => {
    const services = wire.services();
    const key = keyIn();
    const match = { path: `/keys/${key.name}/versions` };

    const failure = () =>
      services.keys.listVersions(managed(key, services)).then(
        () => undefined,
        (error: unknown) => describeFailure(error),
      );

    wire.azure.faults.add([{ match, times: 1, answer: { status: 403, body: { error: { code: 'Forbidden' } } } }]);

    expect(await failure()).toMatchObject({ kind: 'forbidden', status: 403, code: 'Forbidden' });

    wire.azure.faults.add([{ match, times: 1, answer: { status: 429, headers: { 'Retry-After': '1' } } }]);

    const since = wire.azure.requests.last;

    expect(await failure()).toMatchObject({ kind: 'throttled', status: 429, retryAfterSeconds: 1 });
    expect(asked(since)).toHaveLength(1); // waiting is for the queue
    expect(await failure()).toBeUndefined();
  });
});

describe('versionPages', () => {
  const many = (count: number): TestKey => {
    const key = keyIn();
    for (let n = 1; n < count; n++) key.add({ privateKey: key.first.privateKey });
    return key;
  };

  it('versionPages yields each page as it arrives, and requests the next one only then', async () => {
    const services = wire.services();
    const key = many(60);
    const since = wire.azure.requests.last;
    const sizes: number[] = [];
    for await (const page of services.urgentKeys.versionPages(managed(key, services))) {
      sizes.push(page.length);
      expect(asked(since).filter((line) => line.endsWith(' 200'))).toHaveLength(sizes.length);
    }
    expect(sizes).toEqual([25, 25, 10]);
  });

  it('versionPages gives page two its own deadline, and requests it once more: a page that hangs costs 3 s', async () => {
    const services = wire.services();
    const key = many(60);
    const match = { path: `/keys/${key.name}/versions.*skiptoken` };
    wire.azure.faults.add([{ match, times: 1, hang: true }]);
    const started = performance.now();
    const versions = await services.urgentKeys.listVersionsUnsettled(managed(key, services));
    expect(new Set(versions.map(({ version }) => version)).size).toBe(60);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe('the key client', () => {
  it('The key client does not repeat a rotation whose answer is lost: that would create two versions', async () => {
    const services = wire.services();
    const key = keyIn();
    await services.keys.listVersions(managed(key, services)); // fetches the token
    const match = { method: 'POST', path: `/keys/${key.name}/rotate` };
    wire.azure.faults.add([{ match, times: 1, resetAfter: true }]);
    await expect(services.keys.rotate(managed(key, services))).rejects.toThrow();
    expect(key.vault.keys.get(key.name)?.versions).toHaveLength(2);
  });

  it.each([
    ['no policy of its own', undefined, { rotates: false, notifyBeforeExpiry: 'P30D' }],
    ['a policy that only notifies', 'Notify', { rotates: false, notifyBeforeExpiry: 'P30D', expiresIn: 'P2Y' }],
    ['a policy that rotates', 'Rotate', { rotates: true, beforeExpiry: 'P30D', expiresIn: 'P2Y' }],
  ])('The key client reads a key with %s', async (_, action, summary) => {
    const services = wire.services();
    const key = keyIn();
    const found = key.vault.keys.get(key.name);
    if (found && action) {
      found.rotationPolicy = {
        attributes: { expiryTime: 'P2Y', created: 0, updated: 0 },
        lifetimeActions: [{ action: { type: action }, trigger: { timeBeforeExpiry: 'P30D' } }],
      };
    }

    expect(await services.keys.rotationPolicy(managed(key, services))).toEqual(summary);
  });

  it('The key client recovers a deleted key with its versions unchanged, and reports one that was not deleted', async () => {
    const world = wire.azure.world;

    // To recover is a right of its own, which an operator has and the app does not.
    world.settings.enforceRoles = false;

    const services = wire.services();
    const key = keyIn();
    const off = key.add({ enabled: false });

    expect(await services.keys.recover(managed(key, services))).toBe(false);

    const found = key.vault.keys.get(key.name);
    if (!found) throw new Error('The key is gone.');

    const deletedDate = world.clock.nowSeconds();

    key.vault.keys.delete(key.name);
    key.vault.deletedKeys.set(key.name, { ...found, deletedDate, scheduledPurgeDate: deletedDate + 90 * 86_400 });

    expect(await services.keys.recover(managed(key, services))).toBe(true);

    const versions = await services.keys.listVersions(managed(key, services));
    expect(versions.map(({ version, enabled }) => [version, enabled])).toEqual([
      [key.first.version, true],
      [off.version, false],
    ]);
  });
});

it('the break-glass key client aborts a request that hangs after 3 s, and does not repeat it silently', async () => {
  const services = wire.services();
  const key = keyIn();
  const match = { path: `/keys/${key.name}/` };

  wire.azure.faults.add([{ match, hang: true }]);

  const started = performance.now();
  const disable = services.urgentKeys.updateVersion(managed(key, services), key.first.version, { enabled: false });

  await expect(disable).rejects.toThrow();
  expect(performance.now() - started).toBeLessThan(20_000);

  wire.azure.faults.clear();
  wire.azure.faults.add([{ match, times: 1, answer: { status: 503 } }]);

  const since = wire.azure.requests.last;
  const again = services.urgentKeys.updateVersion(managed(key, services), key.first.version, { enabled: false });

  await expect(again).rejects.toMatchObject({ statusCode: 503 });
  expect(asked(since)).toHaveLength(1);
});
