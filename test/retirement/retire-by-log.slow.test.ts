import { describe, expect, it } from 'vitest';
import { WORKSPACE_ID } from '../../local/azure/constants.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import type { WholeReport } from '../../src/drift/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { finishRetirements } from '../../src/retirement/confirm-retirement.ts';
import { type Retirement, retireUnused } from '../../src/retirement/retire-versions.ts';
import { restoreKey } from '../../src/revocation/restore-key.ts';
import { revokeKey } from '../../src/revocation/revoke.ts';
import type { Services } from '../../src/services.ts';
import { TestKey } from '../support/fleet.ts';
import { REVOKER } from '../support/keys.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const HOUR_MS = 3_600_000;
const world = () => wire.azure.world;
const QUERY = { host: 'api.loganalytics.io' };

/** A key with an old and a new version, an account on the new one, and three days since. */
function movedOn(hours = 72, vault?: string) {
  const key = new TestKey(world(), vault);
  const newer = key.add();
  const account = key.account('pinned', { key: key.use('pinned', newer) });
  wire.azure.clock.advance(hours * HOUR_MS);
  return { key, newer, account };
}

async function retire(key: TestKey, env: Record<string, string> = {}, change: Partial<Services> = {}) {
  const services = { ...wire.services({ CMK_USAGE_WORKSPACE: WORKSPACE_ID, ...env }), ...change };
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('The vault is not managed.');
  const came: Retirement[] = [];
  const options = { readMs: 600_000, disable: true, proof: 'log' } as const;
  for await (const one of retireUnused(managed, options, services)) {
    if (one.version.version === key.first.version) came.push(one);
  }
  return came.map((one) => ({ outcome: one.outcome, reasons: 'reasons' in one ? one.reasons.join(' ') : '' }));
}

const firstOf = ({ vault, name }: TestKey) => vault.keys.get(name)?.versions[0];

describe('retirement by the log', () => {
  it('disables a version that nobody has asked for since its successor took over', async () => {
    const { key } = movedOn();
    expect(await retire(key)).toEqual([{ outcome: 'retired', reasons: '' }]);
    expect(firstOf(key)?.enabled).toBe(false);
    expect(firstOf(key)?.tags?.['cmk-retired']).toMatch(/Z [0-9a-f]{32}$/);
  });

  it('does not when an account that no list shows asks for it', async () => {
    const { key } = movedOn(0);
    const hidden = key.account('pinned');
    wire.azure.clock.advance(72 * HOUR_MS);
    const accounts = hide(hidden);
    const [came] = await retire(key, {}, accounts);
    expect(came).toMatchObject({ outcome: 'unproven', reasons: expect.stringContaining('used it to unwrap') });
    expect(firstOf(key)?.enabled).toBe(true);
    world().storageAccounts.delete(hidden.name);
  });

  it.each<[string, (key: TestKey) => void, RegExp]>([
    [
      'is refused',
      () => fault({ answer: { status: 403, body: { error: { code: 'InsufficientAccessError' } } } }),
      /403/,
    ],
    ['does not answer', () => fault({ reset: true }), /proves nothing/],
    [
      'is truncated',
      () => fault({ answer: { status: 200, body: { tables: [], error: { code: 'PartialError', message: 'x' } } } }),
      /partial result \(PartialError\)/,
    ],
    ['is an answer of another form', () => fault({ answer: { status: 200, body: { tables: [] } } }), /unknown format/],
  ])('gives advice while the log %s', async (_, spoil, why) => {
    const { key } = movedOn();
    spoil(key);
    const [came] = await retire(key);
    expect(came).toMatchObject({ outcome: 'unproven', reasons: expect.stringMatching(why) });
    expect(firstOf(key)?.enabled).toBe(true);
  });

  it('gives advice on a key of a Managed HSM, whose log proves nothing', async () => {
    const { key } = movedOn(72, 'hsm-local');
    const [came] = await retire(key);
    expect(came).toMatchObject({
      outcome: 'unproven',
      reasons: expect.stringMatching(/does not document how the log/),
    });
    expect(firstOf(key)?.enabled).toBe(true);
  });

  it('does not while the app may not see what other types use the key', async () => {
    const { key } = movedOn();
    const [came] = await retire(key, { CMK_OTHER_DEPENDENTS: 'listed' });
    expect(came).toMatchObject({ outcome: 'kept', reasons: expect.stringContaining('otherDependents=reader') });
    const [unsaid] = await retire(key, { CMK_OTHER_DEPENDENTS: '' });
    expect(unsaid).toMatchObject({ outcome: 'kept', reasons: expect.stringContaining('CMK_OTHER_DEPENDENTS') });
    const [none] = await retire(key, { CMK_OTHER_DEPENDENTS: 'none' });
    expect(none).toMatchObject({ outcome: 'kept', reasons: expect.stringContaining('has no permission to read') });
    expect(firstOf(key)?.enabled).toBe(true);
  });

  it('does not while a deleted account can be recovered, and does once it cannot', async () => {
    const { key } = movedOn();
    const deleted = key.account('pinned', { key: key.use('pinned', key.first) });
    world().storageAccounts.delete(deleted.name);
    world().deletedAccounts.push({ account: deleted, deletedMs: wire.azure.clock.nowMs() });
    const [came] = await retire(key);
    expect(came).toMatchObject({ outcome: 'kept', reasons: expect.stringContaining('is deleted, and needs its key') });
    world().deletedAccounts.splice(0);
  });

  it('does not while a subscription is out of sight, or an account of the index cannot be read', async () => {
    const { key } = movedOn();
    const error = { code: 'AuthorizationFailed', message: 'No.' };
    wire.azure.faults.add([
      {
        match: { path: '^/subscriptions/[^/]+/providers/Microsoft.Storage/deletedAccounts' },
        answer: { status: 403, body: { error } },
      },
    ]);
    const [came] = await retire(key);
    expect(came).toMatchObject({
      outcome: 'kept',
      reasons: expect.stringMatching(/deleted storage accounts: .*Authorization/),
    });
    wire.azure.faults.clear();
    const known = {
      of: async function* () {
        yield { account: `${world().subscriptions.keys().next().value}`, key: key.id() };
      },
    };
    const [unread] = await retire(key, {}, { useRows: known as unknown as Services['useRows'] });
    expect(unread?.outcome).toBe('kept');
    expect(firstOf(key)?.enabled).toBe(true);
  });

  it('is finished by the next look when the process was killed in between', async () => {
    const { key } = movedOn();
    const services = wire.services({ CMK_USAGE_WORKSPACE: WORKSPACE_ID });
    let resolve = (): void => {};
    const disabled = new Promise<void>((done) => {
      resolve = done;
    });
    const dying: Partial<Services> = {
      keys: {
        ...services.keys,
        updateVersion: async (...args) => {
          await services.keys.updateVersion(...args);
          resolve();
          return new Promise(() => {});
        },
      },
    };
    void retire(key, {}, dying);
    await disabled;
    expect(firstOf(key)).toMatchObject({
      enabled: false,
      tags: { 'cmk-retired': expect.stringMatching(/ unsettled$/) },
    });
    expect(await finish(key)).toEqual([]); // whoever did it may still be at it
    wire.azure.clock.advance(16 * 60_000);
    expect(await finish(key)).toEqual(['retired']);
    expect(firstOf(key)?.tags?.['cmk-retired']).not.toContain('unsettled');
    expect(await finish(key)).toEqual([]);
  });

  it('is finished whatever was revoked and restored before, and not while the key is revoked', async () => {
    const { key, newer } = movedOn();
    const services = wire.services({ CMK_USAGE_WORKSPACE: WORKSPACE_ID });
    const managed = services.settings.vaults.key(key.id());
    if (!managed) throw new Error('The vault is not managed.');
    const revoke = () => revokeKey(managed, REVOKER, services);
    const leaveHalfDone = (restored = '') => {
      const record = `${wire.azure.clock.now().toISOString()} ${newer.version} unsettled ${restored}`.trim();
      Object.assign(key.first, { enabled: false, tags: { ...key.first.tags, 'cmk-retired': record } });
      wire.azure.clock.advance(16 * 60_000);
    };
    leaveHalfDone();
    await revoke();
    key.add();
    expect(await finish(key)).toEqual([]);
    await restoreKey(managed, { revocation: REVOKER.id, restoredBy: crypto.randomUUID(), dualControl: true }, services);
    wire.azure.clock.advance(25 * HOUR_MS);
    leaveHalfDone(REVOKER.id);
    expect(await finish(key)).toEqual(['retired']);
  });

  it('is done by the drift check alone where that is opted in, and told; what was taken back stays', async () => {
    const { key } = movedOn();
    // Those of the tests before: one check does not retire everything.
    for (const name of [...key.vault.keys.keys()]) {
      if (/^key-/.test(name) && name !== key.name) key.vault.keys.delete(name);
    }
    const check = (env: Record<string, string>) => {
      const services = wire.services({ CMK_USAGE_WORKSPACE: WORKSPACE_ID, ...env });
      return runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log);
    };
    const found = (report: WholeReport) => report.findings.find(({ resource }) => resource === key.id(key.first));
    const before = await check({});
    expect(found(before)).toMatchObject({
      reason: 'RetirableVersion',
      is: expect.stringContaining('The log of the vault also shows no use'),
      fix: expect.stringMatching(new RegExp(` --with-evidence --usage-workspace ${WORKSPACE_ID}$`)),
    });
    expect(firstOf(key)?.enabled).toBe(true);
    const version = firstOf(key);
    if (version) version.tags = { 'cmk-kept': 'then by oid-1' };
    await check({ CMK_AUTOFIX: 'RetirableVersion' });
    expect(firstOf(key)?.enabled).toBe(true);
    if (version) version.tags = {};
    const after = await check({ CMK_AUTOFIX: 'RetirableVersion' });
    expect(firstOf(key)).toMatchObject({
      enabled: false,
      tags: { 'cmk-retired': expect.stringMatching(/[0-9a-f]{32}$/) },
    });
    expect(after.fixes).toContainEqual(expect.objectContaining({ resource: key.id(key.first), outcome: 'done' }));
    const told = wire.records.filter(
      ({ reason, resource }) => reason === 'VersionRetired' && resource === key.id(key.first),
    );
    expect(told).toHaveLength(1);
  });

  it('is undone by the next look when somebody asked for the version meanwhile', async () => {
    const { key } = movedOn();
    const version = firstOf(key);
    if (!version) throw new Error('There is no version.');
    version.enabled = false;
    version.tags = { 'cmk-retired': `${wire.azure.clock.now().toISOString()} x unsettled` };
    const late = key.account('pinned', { key: key.use('pinned', version), unchecked: true });
    wire.azure.clock.advance(3 * HOUR_MS);
    expect(await finish(key, hide(late))).toEqual(['undone']);
    expect(version.enabled).toBe(true);
    world().storageAccounts.delete(late.name);
  });
});

async function finish(key: TestKey, change: Partial<Services> = {}): Promise<string[]> {
  const services = { ...wire.services({ CMK_USAGE_WORKSPACE: WORKSPACE_ID }), ...change };
  const managed = services.settings.vaults.key(key.id());
  const came: string[] = [];
  if (managed) for await (const one of finishRetirements(managed, 600_000, services)) came.push(one.outcome);
  return came;
}

/** An account that the app does not see: no list of Azure has it. */
function hide({ id }: StorageAccount): Partial<Services> {
  const { accounts, resourceGraph } = wire.services();
  return {
    accounts: {
      ...accounts,
      async *list(...args) {
        for await (const one of accounts.list(...args)) if (one.id !== id) yield one;
      },
    },
    resourceGraph: {
      async *query(...args) {
        for await (const one of resourceGraph.query(...args)) if (one.id !== id) yield one;
      },
    },
  };
}

function fault(effect: Record<string, unknown>): void {
  wire.azure.faults.add([{ match: QUERY, ...effect }]);
}
