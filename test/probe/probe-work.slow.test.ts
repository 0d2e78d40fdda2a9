import { beforeEach, describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/errors/log.ts';
import { createManagedKey, type ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { ExpectedEffect, KeyEffect } from '../../src/probe/effect.ts';
import { probeKey } from '../../src/probe/probe-work.ts';
import type { Services } from '../../src/services.ts';
import { KEY_WORK, type ProbeWork, type Work } from '../../src/work/messages.ts';
import { processWork } from '../../src/work/process.ts';
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

/** The app on the clock of the local Azure, with its queue held open, so that the delays are seen and not waited for. */
function open(settings: Record<string, string> = {}) {
  const sent: { work: Work; delaySeconds: number | undefined }[] = [];
  const poisoned: string[] = [];
  const sample = sampleServices({ AzureWebJobsStorage: azurite.connectionString, ...settings });
  const services: Services = {
    ...sample,
    now: () => local.azure.clock.now(),
    queue: {
      ...sample.queue,
      send: async (_, work, delaySeconds) => {
        sent.push({ work, delaySeconds });
      },
      poison: async (_, text) => {
        poisoned.push(text);
      },
    },
  };

  const vault = services.settings.vaults.byName('kv-files');
  if (!vault) throw new Error('kv-files is not managed.');

  const { log, records } = keptLog();

  return { services, key: createManagedKey(vault, 'archive-key'), sent, poisoned, log, records };
}

type Opened = ReturnType<typeof open>;

const delivery = (entry: unknown) => ({
  queueName: KEY_WORK as typeof KEY_WORK,
  received: { entry, dequeueCount: 1 },
});

/** Runs a message and then what it puts back, moving the clock on by the delays, until nothing is put back. */
async function follow(opened: Opened, first: ProbeWork, atMost = 50): Promise<number[]> {
  const { services, sent, log } = opened;
  const delays: number[] = [];
  let next: Work | undefined = first;
  while (next && delays.length <= atMost) {
    const entry: unknown = JSON.parse(JSON.stringify(next));
    const run = (work: Work) => probeKey(work as ProbeWork, services, log);

    await processWork({ ...services, ...delivery(entry), run, log });

    const put = sent.shift();

    next = put?.work;

    if (!put) break;

    delays.push(put.delaySeconds ?? 0);
    local.azure.clock.advance((put.delaySeconds ?? 0) * 1000);
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

  it('The probe repeats after 5, 10 and 20 s until Storage notices, and searches for the accounts once', async () => {
    const app = open();

    local.azure.world.settings.fileServiceDelayMs = 30_000;

    const work = revoke(app.key);
    const since = local.azure.requests.last;

    expect(await follow(app, work)).toEqual([5, 10, 20]);

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

    // One that has followed the revocation leaves it to the restore's own.
    expect(await follow(app, { ...revoked, follows: 'blocked 2026-01-01T00:00:00.000Z', attempt: 3 })).toEqual([]);
    expect(ofReason(app.records, 'ProbeSuperseded')).toHaveLength(1);
    expect(await app.services.effects.read(app.key)).toEqual(effect);
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
    expect(app.sent).toEqual([]);
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

    expect(delays.slice(0, 6)).toEqual([5, 10, 20, 40, 60, 60]);

    const seconds = delays.reduce((sum, delay) => sum + delay, 0);
    expect(seconds).toBeGreaterThanOrEqual(30 * 60);
    expect(seconds).toBeLessThan(32 * 60);

    const [record, ...others] = app.records.filter(({ level }) => level === 'error');
    expect(others).toEqual([]);
    expect(record).toMatchObject({ reason: 'EffectNotSeen', message: expect.stringContaining('starchive01 (open)') });
    expect(app.poisoned).toEqual([]);
  });

  it('The probe searches for the accounts again when not all could be listed, and keeps those that it knows', async () => {
    const app = open();

    await follow(app, revoke(app.key));
    local.azure.faults.add([
      { match: { path: '/providers/Microsoft.Storage/storageAccounts\\?' }, times: 2, answer: { status: 503 } },
    ]);
    await probeKey(revoke(app.key), app.services, app.log);

    const [put] = app.sent.splice(0);
    expect(put?.delaySeconds).toBe(5);

    const partly = await app.services.effects.read(app.key);
    expect(partly?.complete).toBe(false);
    expect(statesOf(partly)).toEqual(['starchive01 blocked', 'starchive02 blocked']);
    expect(await follow(app, put?.work as ProbeWork)).toEqual([]);

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
    expect(await probeKey(work, app.services, app.log)).toEqual({ outcome: 'done' });

    account.fileShares.delete('share1');

    const [put] = app.sent.splice(0);
    expect(await follow(app, put?.work as ProbeWork)).toContain(10);

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

  it("The probe requeues its message without an attempt while the app's own storage is unreachable", async () => {
    const app = open(unreachable);
    const now = local.azure.clock.now().toISOString();
    const work = { ...revoke(app.key), attempt: 30, cause: { ...cause, since: now } };
    const { services, log } = app;
    const run = (parsed: unknown) => probeKey(parsed as ProbeWork, services, log);
    await processWork({ ...services, ...delivery(work), run, log });
    expect(app.poisoned).toEqual([]);
    expect(app.sent).toMatchObject([{ work: { kind: 'probe', attempt: 30 }, delaySeconds: 15 }]);
  });

  it("The probe reports an outage of the app's own storage of half an hour, and deletes its message", async () => {
    const app = open(unreachable);
    const since = new Date(local.azure.clock.nowMs() - 31 * 60_000).toISOString();
    const work = probeMessage(app.key, { ...cause, since });
    expect(await probeKey(work, app.services, app.log)).toEqual({ outcome: 'done' });
    expect(app.records).toMatchObject([{ level: 'error', reason: 'EffectNotSeen' }]);
  });
});
