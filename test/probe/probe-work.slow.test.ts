import { beforeEach, describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/errors/log.ts';
import { createManagedKey, type ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { ExpectedEffect, KeyEffect } from '../../src/probe/effect.ts';
import { probeKey } from '../../src/probe/probe-work.ts';
import type { Services } from '../../src/services.ts';
import type { ProbeWork } from '../../src/work/messages.ts';
import { keptLog, sampleServices } from '../support/app-services.ts';
import { useAzurite } from '../support/azurite.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { markVersion, probeMessage } from '../support/probe-message.ts';

const azurite = useAzurite();
const local = useLocalAzure({ fleet: 'sample' });
const cause = { by: 'revoke', ref: 'call-1', since: '' };

beforeEach(() => {
  local.azure.faults.clear();
  local.azure.world.settings.fileServiceDelayMs = 0;
  mark('open');
});

function mark(expected: ExpectedEffect, enabled?: boolean, now = local.azure.clock.now()): void {
  const versions = local.azure.world.vaults.get('kv-files')?.keys.get('archive-key')?.versions ?? [];
  for (const version of versions) markVersion(version, expected, now, enabled);
}

/** The app on the clock of the local Azure. */
function open(settings: Record<string, string> = {}) {
  const sample = sampleServices({ AzureWebJobsStorage: azurite.connectionString, ...settings });
  const services: Services = { ...sample, now: () => local.azure.clock.now() };

  const vault = services.settings.vaults.byName('kv-files');
  if (!vault) throw new Error('kv-files is not managed.');

  const { log, records } = keptLog();

  return { services, key: createManagedKey(vault, 'archive-key'), log, records };
}

type Opened = ReturnType<typeof open>;

/** Runs a job, then again after each delay on the clock, until it is done. */
async function follow({ services, log }: Opened, job: ProbeWork, atMost = 50): Promise<number[]> {
  const delays: number[] = [];
  while (delays.length <= atMost) {
    const outcome = await probeKey(job, services, log);
    if (outcome.outcome !== 'again') break;

    delays.push(outcome.delaySeconds);
    local.azure.clock.advance(outcome.delaySeconds * 1000);
  }

  return delays;
}

function statesOf(effect: KeyEffect | undefined): string[] | undefined {
  return effect?.accounts.map(({ account, state }) => `${account.slice(account.lastIndexOf('/') + 1)} ${state}`).sort();
}

function revoke(key: ManagedKey): ProbeWork {
  mark('blocked');
  return probeMessage(key, cause);
}

const ofReason = (records: LogRecord[], reason: string): LogRecord[] => records.filter((one) => one.reason === reason);

describe('following the effect of a change', () => {
  it('The probe ends in the first round when every account shows the effect, and logs how long it took', async () => {
    const app = open();
    const since = local.azure.clock.now().toISOString();
    const work = revoke(app.key);

    expect(await follow(app, work)).toEqual([]);

    const effect = await app.services.effects.read(app.key);
    expect(statesOf(effect)).toEqual(['starchive01 blocked', 'starchive02 blocked']);
    expect(effect).toMatchObject({ complete: true, change: { expect: 'blocked' } });
    expect(Math.abs(Date.parse(effect?.change.since ?? '') - Date.parse(since))).toBeLessThan(5_000);

    for (const { secondsAfterChange } of effect?.accounts ?? []) {
      expect(secondsAfterChange).toBeGreaterThanOrEqual(0);
      expect(secondsAfterChange).toBeLessThan(30);
    }

    expect(ofReason(app.records, 'EffectSeen')).toHaveLength(1);
  });

  it('The probe repeats after 5 s and then less often until Storage notices, and searches for the accounts once', async () => {
    const app = open();

    local.azure.world.settings.fileServiceDelayMs = 30_000;

    const work = revoke(app.key);
    const since = local.azure.requests.last;

    const delays = await follow(app, work);
    expect(delays[0]).toBe(5);
    expect(delays).toEqual(delays.toSorted((a, b) => a - b));
    expect(delays.length).toBeLessThanOrEqual(4);

    const effect = await app.services.effects.read(app.key);
    for (const { state, secondsAfterChange } of effect?.accounts ?? []) {
      expect(state).toBe('blocked');
      expect(secondsAfterChange).toBeGreaterThanOrEqual(30);
    }

    const lists = local.azure.requests.since(since).filter(({ path }) => /Storage\/storageAccounts\?/.test(path));
    expect(lists).toHaveLength(2); // one for each subscription
  });

  it('The probe stores and logs how long the last revocation took until Storage refused', async () => {
    const app = open();

    local.azure.world.settings.fileServiceDelayMs = 30_000;
    await follow(app, revoke(app.key));

    // The probes are at 0, 5, 15 and 35 seconds, and on a busy machine some later.
    const measured = (await app.services.effects.read(app.key))?.refusedAfter;
    expect(measured?.seconds).toBeGreaterThanOrEqual(35);
    expect(ofReason(app.records, 'EffectSeen')).toMatchObject([{ refusedAfter: measured }]);

    local.azure.clock.advance(60_000);
    mark('open');
    await follow(app, probeMessage(app.key, cause));
    expect((await app.services.effects.read(app.key))?.refusedAfter).toEqual(measured);
  });

  it('The probe follows the restore once the key is restored, whichever message started it', async () => {
    const app = open();

    local.azure.world.settings.fileServiceDelayMs = 30_000;

    const revoked = revoke(app.key);

    local.azure.clock.advance(1_000);
    mark('open');
    local.azure.world.settings.fileServiceDelayMs = 0;

    expect(await follow(app, revoked)).toEqual([]);

    const effect = await app.services.effects.read(app.key);
    expect(effect?.change.expect).toBe('open');

    expect(statesOf(effect)).toEqual(['starchive01 open', 'starchive02 open']);
  });

  it('The probe reports nothing of a revocation that is restored during the round', async () => {
    const app = open();
    const revoked = revoke(app.key);
    const { effects, keys } = app.services;

    const meanwhile = async () => {
      local.azure.clock.advance(1_000);
      mark('open');
      await follow(open(), probeMessage(app.key, cause));
    };

    const services: Services = {
      ...app.services,
      keys: { ...keys, listVersions: (key) => keys.listVersions(key).finally(meanwhile) },
    };
    expect(await probeKey(revoked, services, app.log)).toEqual({ outcome: 'done' });
    expect(app.records).toMatchObject([{ reason: 'ProbeSuperseded' }]);
    expect((await effects.read(app.key))?.change.expect).toBe('open');
  });

  it('The probe continues from a record from the future, and ignores a revocation from the future', async () => {
    const app = open();
    const { effects } = app.services;
    const since = '9999-12-31T00:00:00.000Z';
    const claimed = {
      key: app.key.id,
      change: { expect: 'blocked' as const, since },
      complete: true,
      accounts: [],
    } satisfies KeyEffect;

    await effects.update(app.key, () => claimed);
    await follow(app, { ...revoke(app.key), expect: 'open', since } as ProbeWork);

    const effect = await effects.read(app.key);
    expect(statesOf(effect)).toEqual(['starchive01 blocked', 'starchive02 blocked']);
    expect(Date.parse(effect?.change.since ?? '')).toBeLessThanOrEqual(local.azure.clock.nowMs());

    // Long after, a message from any sender probes no account.
    local.azure.clock.advance(60 * 60_000);
    await follow(app, probeMessage(app.key, cause));

    const before = local.azure.requests.last;

    await follow(app, probeMessage(app.key, cause));

    expect(local.azure.requests.since(before).filter(({ host }) => /\.file\./i.test(host))).toEqual([]);
  });

  it('The probe ends after half an hour with an error that names the accounts, after one round a minute', async () => {
    const app = open();

    mark('blocked', true); // and nothing was disabled

    const work = probeMessage(app.key, cause);
    const delays = await follow(app, work);

    expect(delays[0]).toBe(5);
    expect(delays.slice(5, -1).every((delay) => delay === 60)).toBe(true);

    const seconds = delays.reduce((sum, delay) => sum + delay, 0);
    expect(seconds).toBeGreaterThanOrEqual(30 * 60);
    expect(seconds).toBeLessThan(32 * 60);

    const [record, ...others] = app.records.filter(({ level }) => level === 'error');
    expect(others).toEqual([]);
    expect(record).toMatchObject({ reason: 'EffectNotSeen', message: expect.stringContaining('starchive01 (open)') });
  });

  it('The probe searches for the accounts again when not all could be listed, and keeps those that it knows', async () => {
    const app = open();

    await follow(app, revoke(app.key));
    local.azure.faults.add([
      { match: { path: '/providers/Microsoft.Storage/storageAccounts\\?' }, times: 2, answer: { status: 503 } },
    ]);
    const work = revoke(app.key);
    expect(await probeKey(work, app.services, app.log)).toEqual({ outcome: 'again', delaySeconds: 5 });

    const partly = await app.services.effects.read(app.key);
    expect(partly?.complete).toBe(false);
    expect(statesOf(partly)).toEqual(['starchive01 blocked', 'starchive02 blocked']);
    expect(await follow(app, work)).toEqual([]);

    const effect = await app.services.effects.read(app.key);
    expect(effect?.complete).toBe(true);
    expect(statesOf(effect)).toEqual(['starchive01 blocked', 'starchive02 blocked']);
  });

  it('The probe uses another share when the probed one was deleted', async () => {
    const account = local.azure.world.storageAccounts.get('starchive01');
    const share = account?.fileShares.get('share1');
    if (!account || !share) throw new Error('The sample fleet has changed.');

    const app = open();

    local.azure.world.settings.fileServiceDelayMs = 12_000;

    const work = revoke(app.key);
    expect(await probeKey(work, app.services, app.log)).toMatchObject({ outcome: 'again' });

    account.fileShares.delete('share1');

    expect(await follow(app, work)).not.toEqual([]);

    const effect = await app.services.effects.read(app.key);
    expect(effect?.accounts.find(({ account: id }) => id === account.id)).toMatchObject({
      share: 'share2',
      state: 'blocked',
    });

    account.fileShares.set('share1', share);
  });
});

describe("failures of the app's storage", () => {
  const unreachable = {
    AzureWebJobsStorage:
      'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;QueueEndpoint=http://127.0.0.1:9/a',
  };

  it("The probe is retried without counting an attempt while the app's own storage is unreachable", async () => {
    const app = open(unreachable);
    const now = local.azure.clock.now().toISOString();
    const work = { ...revoke(app.key), cause: { ...cause, since: now } };
    const outcome = await probeKey(work, app.services, app.log);
    expect(outcome).toMatchObject({ outcome: 'retry', counts: false, delaySeconds: 15 });
  });

  it("The probe reports an outage of the app's own storage of half an hour, and deletes its message", async () => {
    const app = open(unreachable);
    const since = new Date(local.azure.clock.nowMs() - 31 * 60_000).toISOString();
    const work = probeMessage(app.key, { ...cause, since });
    expect(await probeKey(work, app.services, app.log)).toEqual({ outcome: 'done' });
    expect(app.records).toMatchObject([{ level: 'error', reason: 'EffectNotSeen' }]);
  });
});
