import { describe, expect, it } from 'vitest';
import type { KeyVersion } from '../../local/azure/world.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { rotateWhenDue } from '../../src/rotation/rotate-when-due.ts';
import type { Services } from '../../src/services.ts';
import type { Outcome } from '../../src/work/outcome.ts';
import { TestKey } from '../support/fleet.ts';
import { REVOKER } from '../support/keys.ts';
import { MemoryLeases } from '../support/memory-leases.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

const DAY = 86_400;
const AUTO = { 'cmk-rotation': 'auto' };
/** A key whose one version expires in 20 days, having lived for 345; the app is meant to rotate it. */
function nearing(options: Partial<Pick<KeyVersion, 'tags' | 'enabled' | 'imported' | 'exp'>> = {}): TestKey {
  const now = wire.azure.clock.nowSeconds();
  return new TestKey(wire.azure.world, 'kv-files', {
    nbf: now - 345 * DAY,
    exp: now + 20 * DAY,
    tags: AUTO,
    ...options,
  });
}
const versions = (key: TestKey) => key.vault.keys.get(key.name)?.versions ?? [];
const look = (key: TestKey, services: Services = wire.services()): Promise<Outcome> =>
  rotateWhenDue(key.rotateWork(), services, wire.log);
const said = () => wire.records.map(({ level, reason }) => `${level} ${reason}`);

describe('a key that nears its expiry', () => {
  it('A key that nears its expiry is rotated with the tags and lifetime of the version before, and recorded once', async () => {
    const key = nearing({ tags: { owner: 'files', ...AUTO } });
    const entries: AuditEntry[] = [];
    const services = wire.services();
    const audit: Services['audit'] = (entry, ...rest) => {
      entries.push(entry);
      return services.audit(entry, ...rest);
    };

    expect(await look(key, { ...services, audit })).toEqual({ outcome: 'done' });

    const [, next] = versions(key);
    expect(next).toMatchObject({ enabled: true, tags: { owner: 'files', ...AUTO } });
    expect((next?.exp ?? 0) - (next?.created ?? 0)).toBe(365 * DAY);
    expect(wire.records).toMatchObject([{ level: 'info', reason: 'Rotated', key: key.id(), to: key.id(next) }]);
    expect(entries).toMatchObject([
      { action: 'key.rotate', reason: 'Rotated', resource: key.id(), details: { from: key.id(key.first) } },
    ]);

    // The second delivery of the event, or a look by the drift check.
    await look(key);

    expect(versions(key)).toHaveLength(2);
    expect(said().at(-1)).toBe('info NotNearExpiry');
  });

  it('A key that Key Vault refuses to rotate, because its material is imported, is logged and not rotated again', async () => {
    const key = nearing({ imported: true });
    expect(await look(key)).toEqual({ outcome: 'done' });
    expect(versions(key)).toHaveLength(1);
    expect(wire.records).toMatchObject([
      { level: 'error', reason: 'RotationRefused', message: expect.stringContaining('imported') },
    ]);
  });
});

describe('the keys that the app is to rotate', () => {
  it('A key that an account or a scope uses is rotated', async () => {
    const byAccount = nearing({ tags: {} });
    const byScope = nearing({ tags: {} });
    byAccount.account('automatic');
    const other = nearing();
    other.account('pinned', { scopes: [{ name: 'records', key: byScope.use('pinned') }] });
    for (const key of [byAccount, byScope]) {
      await look(key);
      expect(versions(key)).toHaveLength(2);
    }
  });

  it('A key that nothing uses is not rotated, and the log says why', async () => {
    const key = nearing({ tags: {} });
    expect(await look(key)).toEqual({ outcome: 'done' });
    expect(versions(key)).toHaveLength(1);
    expect(said()).toEqual(['info NoDependents']);
  });

  it('A key is not rotated while its users are unknown, and the log says why', async () => {
    const key = nearing({ tags: {} });
    wire.azure.faults.add([
      { match: { method: 'GET', path: '/providers/Microsoft.Storage/storageAccounts\\?' }, answer: { status: 500 } },
    ]);
    expect(await look(key)).toEqual({ outcome: 'done' });
    expect(said()).toEqual(['error DependentsUnknown']);
    expect(versions(key)).toHaveLength(1);
  });

  it('A key that was rotated while its users were read is not rotated again', async () => {
    const key = nearing({ tags: {} });
    const services = wire.services();
    const dependents: Services['dependents'] = async () => {
      key.add({ exp: wire.azure.clock.nowSeconds() + 300 * DAY });
      return { answer: 'some' };
    };
    await look(key, { ...services, dependents });
    expect(versions(key)).toHaveLength(2);
    expect(said()).toEqual(['info NotNearExpiry']);
  });
});

describe('an answer of Key Vault that is lost or refused', () => {
  const rotate = (key: TestKey) => ({ method: 'POST', path: `/keys/${key.name}/rotate` });
  const complete = (key: TestKey) => ({ method: 'PATCH', path: `/keys/${key.name}/` });

  /** An instance whose leases end by the local Azure's clock. */
  function instance(leases = new MemoryLeases(() => wire.azure.clock.now())) {
    return { leases, services: { ...wire.services(), leases } };
  }

  /** The first request of a client is answered with where to sign in: a fault would hit that one. */
  async function signedIn(): Promise<Services> {
    const { services } = instance();
    const other = services.settings.vaults.key(new TestKey(wire.azure.world).id());
    if (!other) throw new Error('kv-files is not managed.');
    await services.keys.rotate(other);
    return services;
  }

  it.each([
    ['is cut off', { resetAfter: true }],
    ['comes to nothing at a gateway', { answer: { status: 504 } }],
  ])(
    'A rotation requests a version once, although the answer %s: the SDK does not repeat the request either',
    async (_, effect) => {
      const key = nearing();
      const services = await signedIn();
      const since = wire.azure.requests.last;
      wire.azure.faults.add([{ match: rotate(key), ...effect }]);
      await look(key, services);
      const asked = wire.azure.requests.since(since).filter(({ path }) => path.includes(`/${key.name}/rotate`));
      expect(asked).toHaveLength(1);
    },
  );

  it('A rotation logs that the app may not set the expiry of a new version, and keeps that version', async () => {
    const key = nearing({ tags: { owner: 'files', ...AUTO } });
    const answer = { status: 403, body: { error: { code: 'Forbidden' } } };
    wire.azure.faults.add([{ match: complete(key), answer }]);
    expect(await look(key)).toEqual({ outcome: 'done' });
    expect(versions(key)).toHaveLength(2);
    expect(said()).toEqual(['error RotationIncomplete', 'info Rotated']);
  });

  it('A rotation writes no tags onto a version that is being revoked, and completes it after the restore', async () => {
    const key = nearing({ tags: { owner: 'files', ...AUTO } });
    const { services } = instance();

    wire.azure.faults.add([{ match: complete(key), answer: { status: 503, body: { error: { code: 'Busy' } } } }]);
    await look(key, services);
    wire.azure.faults.clear();

    const record = (version: KeyVersion) =>
      `${REVOKER.id} ${wire.azure.clock.now().toISOString()} ${REVOKER.revokedBy} ${version.version}`;
    const [first, made] = versions(key);
    if (!first || !made) throw new Error('There is no new version.');

    const before = first.tags;
    const records = [record(first), record(made)];

    Object.assign(first, { enabled: false, tags: { ...before, 'cmk-revocation': records[0] } });
    Object.assign(made, { enabled: false, tags: { 'cmk-revocation': records[1] } });
    wire.azure.clock.advance(111_000);
    await look(key, services);

    expect(made.tags).toEqual({ 'cmk-revocation': records[1] });

    Object.assign(first, { enabled: true, tags: before });
    Object.assign(made, { enabled: true, tags: {} });
    await look(key, services);

    expect(made).toMatchObject({ tags: { owner: 'files' }, exp: expect.any(Number) });
  });

  it('A rotation writes back the record that its completion has overwritten, so that a restore enables the version', async () => {
    const key = nearing({ tags: { owner: 'files', ...AUTO } });
    const { services } = instance();
    const updateVersion: Services['keys']['updateVersion'] = async (managed, version, change) => {
      if (change.expiresOn) {
        // A revocation comes in between: its record is among the tags that this PATCH replaces.
        const stamp = wire.azure.clock.now().toISOString();
        for (const one of versions(key)) {
          one.enabled = false;
          one.tags = { ...one.tags, 'cmk-revocation': `${REVOKER.id} ${stamp} ${REVOKER.revokedBy} ${one.version}` };
        }
      }
      return services.keys.updateVersion(managed, version, change);
    };

    await look(key, { ...services, keys: { ...services.keys, updateVersion } });

    const [, made] = versions(key);
    expect(made).toMatchObject({ enabled: false, tags: { owner: 'files' } });
    expect(made?.tags?.['cmk-revocation']).toMatch(new RegExp(`^${REVOKER.id} .* ${made?.version}$`));
  });
});
