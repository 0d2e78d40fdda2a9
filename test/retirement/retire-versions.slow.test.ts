import { describe, expect, it } from 'vitest';
import { WORKSPACE_ID } from '../../local/azure/constants.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { describeFailure, describeAnswerOf as say } from '../../src/azure/failure.ts';
import type { WholeReport } from '../../src/drift/report/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import {
  finishRetirements,
  type RetireOptions,
  retireUnused,
  toRetirementEntry,
} from '../../src/retirement/retire-versions.ts';
import { restoreKey } from '../../src/revocation/restore-key.ts';
import { revokeKey } from '../../src/revocation/revoke.ts';
import type { Services } from '../../src/services.ts';
import { outsider } from '../drift/outsider.ts';
import { TestKey, vaultNamed } from '../support/fleet.ts';
import { REVOKER } from '../support/keys.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const HOUR_MS = 3_600_000;
const world = () => wire.azure.world;
const NO = { status: 403, body: { error: { code: 'AuthorizationFailed', message: 'No.' } } };

interface Circumstances {
  readonly proof?: RetireOptions['proof'];
  readonly env?: Record<string, string>;
  readonly change?: (services: Services) => Partial<Services>;
}

const servicesWith = (env: Record<string, string> = {}) => wire.services({ CMK_USAGE_WORKSPACE: WORKSPACE_ID, ...env });
function managed(key: TestKey) {
  const found = wire.services().settings.vaults.key(key.id());
  if (!found) throw new Error('The vault is not managed.');
  return found;
}

/** Runs the retirement of one key. Returns the outcome of each version that the key permits, and the audit entries. */
async function retire(key: TestKey, { proof = 'person', env, change = () => ({}) }: Circumstances = {}) {
  const audited: unknown[] = [];
  const outcome: { readonly outcome: string; readonly detail: string }[] = [];
  const services = servicesWith(env);
  try {
    const options = { readMs: 600_000, disable: true, proof } as const;
    for await (const one of retireUnused(managed(key), options, { ...services, ...change(services) })) {
      if (one.outcome === 'kept' && /No newer|has to be/.test(one.reasons.join())) continue;

      const said = 'reasons' in one ? one.reasons : [];
      outcome.push({ outcome: one.outcome, detail: [...said, 'nextStep' in one ? one.nextStep : ''].join(' ') });

      const entry = toRetirementEntry(managed(key), one);
      if (entry) audited.push(entry);
    }
  } catch (error) {
    outcome.push({ outcome: 'failed', detail: say(describeFailure(error)) });
  }

  return { outcome, audited };
}

async function finish(key: TestKey, change: Partial<Services> = {}): Promise<string[]> {
  const came: string[] = [];
  const services = { ...servicesWith(), ...change };
  for await (const one of finishRetirements(managed(key), 600_000, services)) came.push(one.outcome);
  return came;
}

/** A key with an old and a new version, so many in between, an account on the new one, and three days since. */
function movedOn(between = 0) {
  const key = new TestKey(world());
  for (let n = 0; n < between; n += 1) key.add();
  const newer = key.add();
  const account = key.account('pinned', { key: key.use('pinned', newer) });
  wire.azure.clock.advance(72 * HOUR_MS);
  return { key, newer, account };
}

const stateOf = ({ vault, name }: TestKey) => vault.keys.get(name)?.versions.map(({ enabled }) => enabled);
const tagOf = ({ first }: TestKey) => first.tags?.['cmk-retired'];
const command = (key: TestKey) => `az keyvault key set-attributes --id ${key.id(key.first)} --enabled true`;

describe('retirement', () => {
  it.each([
    ['a subscription', '^/subscriptions/[^/]+/providers/Microsoft.Storage/storageAccounts\\?'],
    ['an encryption scope', '/encryptionScopes\\?'],
    ['the other resource types', 'Microsoft.ResourceGraph'],
    ['the deleted accounts', '^/subscriptions/[^/]+/providers/Microsoft.Storage/deletedAccounts'],
  ])('A version is kept when %s cannot be read', async (_, path) => {
    const { key } = movedOn();
    wire.azure.faults.add([{ match: { path }, answer: NO }]);
    expect((await retire(key)).outcome).toMatchObject([{ outcome: 'kept' }]);
    expect(stateOf(key)).toEqual([true, true]);
  });

  it('A version is kept while a deleted account can be recovered, or an account of the index cannot be read', async () => {
    const { key } = movedOn();
    const deleted = key.account('pinned', { key: key.use('pinned', key.first) });

    world().storageAccounts.delete(deleted.name);
    world().deletedAccounts.push({ account: deleted, deletedMs: wire.azure.clock.nowMs() });

    const { outcome } = await retire(key);
    expect(outcome).toMatchObject([{ detail: expect.stringContaining('is deleted, and needs its key') }]);

    world().deletedAccounts.splice(0);

    const useRows = {
      of: async function* () {
        yield { account: `${world().subscriptions.keys().next().value}`, key: key.id() };
      },
    } as unknown as Services['useRows'];

    expect((await retire(key, { change: () => ({ useRows }) })).outcome).toMatchObject([{ outcome: 'kept' }]);
    expect(stateOf(key)).toEqual([true, true]);
  });

  it('A retirement enables the version again if an account was pinned to it in the meantime', async () => {
    const { key, account } = movedOn();
    const { outcome, audited } = await retire(key, { change: around(() => pin(key, account)) });
    expect(outcome).toMatchObject([
      { outcome: 'undone', detail: expect.stringMatching(new RegExp(`is used by .*${account.name}`)) },
    ]);
    expect([stateOf(key), tagOf(key)]).toEqual([[true, true], undefined]);
    expect(audited).toMatchObject([{ action: 'key.retire', reason: 'RetirementUndone', details: { enabled: true } }]);
  });

  it('A retirement that cannot enable the version again reports the command for a person, and stops', async () => {
    const { key, account } = movedOn(1);
    const change = around(async () => {
      await pin(key, account);
      wire.azure.faults.add([{ match: { method: 'PATCH', path: `/keys/${key.name}/` }, skip: 1, answer: NO }]);
    });
    const { outcome, audited } = await retire(key, { change });

    expect(stateOf(key)).toEqual([false, true, true]);
    expect(outcome).toMatchObject([{ outcome: 'notUndone', detail: expect.stringContaining(command(key)) }]);
    expect(outcome[0]?.detail).toContain(account.name);
    expect(audited).toMatchObject([{ reason: 'RetirementNotUndone', details: { enabled: false } }]);
  });

  it('A retirement enables no version of a key whose other versions an operator disabled meanwhile', async () => {
    const { key, account, newer } = movedOn();
    const change = around(
      () => pin(key, account),
      async () => {
        newer.enabled = false;
      },
    );

    expect((await retire(key, { change })).outcome).toMatchObject([
      { outcome: 'notUndone', detail: expect.stringMatching(/successor became unusable .*disabled/) },
    ]);
    expect(stateOf(key)).toEqual([false, false]);
  });

  it('A retirement enables no version, and reports the command for a person, when the key cannot be read again', async () => {
    const { key } = movedOn();
    const match = { path: `/keys/${key.name}/versions` };
    const change = around(async () => {
      wire.azure.faults.add([{ match, answer: NO }]);
    });
    const { outcome } = await retire(key, { change });
    expect(outcome).toMatchObject([{ outcome: 'notUndone', detail: expect.stringContaining(command(key)) }]);
    expect(stateOf(key)).toEqual([false, true]);
  });

  it('A later pass confirms a retirement whose answer was lost', async () => {
    const { key } = movedOn();

    wire.azure.faults.add([{ match: { method: 'PATCH', path: `/keys/${key.name}/` }, resetAfter: true, times: 9 }]);

    expect((await retire(key)).outcome).toMatchObject([{ outcome: 'failed' }]);
    expect([stateOf(key), tagOf(key)]).toEqual([[false, true], expect.stringMatching(/ unsettled$/)]);

    wire.azure.faults.clear();

    expect(await finish(key)).toEqual([]); // its process may still be at work

    wire.azure.clock.advance(HOUR_MS);

    expect(await finish(key)).toEqual(['retired']);
    expect(tagOf(key)).not.toContain('unsettled');
    expect(await finish(key)).toEqual([]);
  });
});

describe('retirement by the log', () => {
  const byLog = async (key: TestKey) => (await retire(key, { proof: 'log' })).outcome;

  it('A retirement by the log disables a version that no client has used since its successor took over', async () => {
    const { key } = movedOn();
    expect(await byLog(key)).toMatchObject([{ outcome: 'retired' }]);
    expect([stateOf(key), tagOf(key)]).toEqual([[false, true], expect.stringMatching(/Z [0-9a-f]{32}$/)]);
  });

  const error = { code: 'PartialError', message: 'x' };

  it.each<[string, object, RegExp]>([
    ['is denied', { answer: NO }, /403/],
    ['does not answer', { reset: true }, /proves nothing/],
    ['is truncated', { answer: { status: 200, body: { tables: [], error } } }, /partial result \(PartialError\)/],
    ['has another format', { answer: { status: 200, body: { tables: [] } } }, /unknown format/],
  ])('A retirement by the log keeps the version while the log %s', async (_, effect, why) => {
    const { key } = movedOn();
    wire.azure.faults.add([{ match: { host: 'api.loganalytics.io' }, ...effect }]);
    expect(await byLog(key)).toMatchObject([{ outcome: 'unproven', detail: expect.stringMatching(why) }]);
    expect(stateOf(key)).toEqual([true, true]);
  });

  it('A retirement by the log is finished after an earlier revocation and restore, and not while the key is revoked', async () => {
    const { key, newer } = movedOn();
    const leaveHalfDone = (restored = '') => {
      const record = `${wire.azure.clock.now().toISOString()} ${newer.version} unsettled ${restored}`.trim();
      Object.assign(key.first, { enabled: false, tags: { ...key.first.tags, 'cmk-retired': record } });
      wire.azure.clock.advance(16 * 60_000);
    };

    leaveHalfDone();
    await revokeKey(managed(key), REVOKER, servicesWith());
    key.add();

    expect(await finish(key)).toEqual([]);

    const by = { revocation: REVOKER.id, restoredBy: crypto.randomUUID(), dualControl: true };

    await restoreKey(managed(key), by, servicesWith());
    wire.azure.clock.advance(25 * HOUR_MS);
    leaveHalfDone(REVOKER.id);

    expect(await finish(key)).toEqual(['retired']);
  });

  it('The drift check retires a version by the log if CMK_AUTOFIX has it, and keeps one that a person enabled again', async () => {
    const { key } = movedOn();

    // Those of the tests before: one check does not retire everything.
    for (const name of [...key.vault.keys.keys()]) {
      if (/^key-/.test(name) && name !== key.name) key.vault.keys.delete(name);
    }

    const check = (env: Record<string, string>) =>
      runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, servicesWith(env), wire.log);
    const found = ({ findings }: WholeReport) => findings.find(({ resource }) => resource === key.id(key.first));

    expect(found(await check({}))).toMatchObject({
      reason: 'RetirableVersion',
      is: expect.stringContaining('The log of the vault also shows no use'),
      fix: expect.stringContaining('Add RetirableVersion to CMK_AUTOFIX'),
    });

    key.first.tags = { 'cmk-kept': 'then by oid-1' };
    await check({ CMK_AUTOFIX: 'RetirableVersion' });

    expect(key.first.enabled).toBe(true);

    key.first.tags = {};

    const { fixes } = await check({ CMK_AUTOFIX: 'RetirableVersion' });

    expect([stateOf(key), tagOf(key)]).toEqual([[false, true], expect.stringMatching(/[0-9a-f]{32}$/)]);

    const resource = key.id(key.first);
    expect(fixes).toContainEqual(expect.objectContaining({ resource, outcome: 'done' }));
    expect(wire.records.filter((one) => one.reason === 'VersionRetired' && one.resource === resource)).toHaveLength(1);
  });

  it('The next check undoes a retirement by the log if an unlisted client used the version meanwhile', async () => {
    const { key } = movedOn();
    const record = `${wire.azure.clock.now().toISOString()} x unsettled`;
    Object.assign(key.first, { enabled: false, tags: { 'cmk-retired': record } });
    const late = key.account('pinned', { key: key.use('pinned', key.first), unchecked: true });
    wire.azure.clock.advance(3 * HOUR_MS);
    expect(await finish(key, hide(late))).toEqual(['undone']);
    expect(key.first.enabled).toBe(true);
    world().storageAccounts.delete(late.name);
  });
});

type Moment = (services: Services) => Promise<void>;

/** Services with something that happens right before a version is disabled, and something right after. */
function around(before: Moment, after: Moment = async () => {}): (services: Services) => Partial<Services> {
  return (services) => ({
    keys: {
      ...services.keys,
      updateVersion: async (...args) => {
        const disables = args[2].enabled === false;
        if (disables) await before(services);
        const updated = await services.keys.updateVersion(...args);
        if (disables) await after(services);
        return updated;
      },
    },
  });
}

/** An operator who does not know the app pins the account to the first version of the key. */
async function pin(key: TestKey, account: { name: string }): Promise<void> {
  const keyVaultUri = vaultNamed(world(), 'kv-files').properties.vaultUri;
  const keyVaultProperties = { keyName: key.name, keyVersion: key.first.version, keyVaultUri };
  await outsider(wire.azure).storage.storageAccounts.update('rg-files', account.name, {
    encryption: { keySource: 'Microsoft.Keyvault', keyVaultProperties },
  });
}

/** An account that the app does not see: no list of Azure has it. */
function hide({ id }: StorageAccount): Partial<Services> {
  const { accounts, resourceGraph } = wire.services();

  return {
    accounts: {
      ...accounts,
      async *list(...args) {
        for await (const one of accounts.list(...args)) {
          if (one.id !== id) yield one;
        }
      },
    },
    resourceGraph: {
      async *query(...args) {
        for await (const one of resourceGraph.query(...args)) {
          if (one.id !== id) yield one;
        }
      },
    },
  };
}
