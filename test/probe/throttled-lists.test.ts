import { beforeAll, describe, expect, it } from 'vitest';
import type { Account } from '../../src/accounts/account.ts';
import { CONCURRENCY } from '../../src/azure/limits.ts';
import type { ResourceId } from '../../src/azure/resource-id.ts';
import type { LogRecord } from '../../src/errors/log.ts';
import type { EffectState, KeyEffect } from '../../src/probe/effect.ts';
import { probeKey } from '../../src/probe/probe-work.ts';
import { SERVICE_WORDS } from '../../src/probe/service-words.ts';
import { KEY, keyVersion, SUBSCRIPTION, VAULTS } from '../support/keys.ts';
import { markVersion, probeMessage } from '../support/probe-message.ts';

const START = Date.parse('2026-06-01T12:00:00.000Z');
/** Azure admits so many lists in five minutes, for each subscription and region. */
const BUDGET = 100;
const WINDOW_MS = 300_000;

function account(n: number): Account {
  const type = 'Microsoft.Storage/storageAccounts';
  const name = `st${String(n).padStart(4, '0')}`;

  return {
    id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/${type}/${name}`,
    subscriptionId: SUBSCRIPTION,
    resourceGroup: 'rg',
    type,
    name,
    location: 'westeurope',
    tags: {},
    userAssignedIdentities: [],
    principalIds: {},
    systemPrincipalId: undefined,
    encryption: {
      keySource: 'Microsoft.Keyvault',
      keyVaultProperties: { keyVaultUri: KEY.vault.uri, keyName: KEY.name, keyVersion: '' },
    },
  };
}

/** A revoked key whose dependents are all in one region and refuse from the first second; `rounds` follows it. */
function revokedKey(accounts: number, { withoutShare = 0 } = {}) {
  let nowMs = START;
  const lists: { atMs: number; account: string }[] = [];
  const refused: number[] = [];
  const records: LogRecord[] = [];
  const gone = new Set<string>();
  let stored: KeyEffect | undefined;

  const version = { ...keyVersion(1), tags: {}, updated: 0, enabledChangedMs: 0 };

  markVersion(version, 'blocked', new Date(START));

  const services = {
    settings: { vaults: VAULTS, subscriptions: [SUBSCRIPTION], probeBlobs: false },
    accounts: {
      async *list() {
        for (let n = 0; n < accounts; n += 1) yield account(n);
      },
    },
    shares: {
      async *list({ name }: ResourceId) {
        if (lists.filter(({ atMs }) => atMs > nowMs - WINDOW_MS).length >= BUDGET) {
          refused.push(nowMs);
          throw Object.assign(new Error('throttled'), { statusCode: 429, code: 'TooManyRequests' });
        }
        lists.push({ atMs: nowMs, account: name });
        if (Number(name.slice(2)) < withoutShare) return;
        yield { name: gone.has(name) ? 'share2' : 'share1', protocol: 'SMB' };
      },
    },
    dataLists: {
      file: async (name: string, share: string) => {
        const isGone = gone.has(name) && share === 'share1';
        const code = isGone ? 'ShareNotFound' : 'KeyVaultEncryptionKeyNotFound';
        throw Object.assign(new Error(code), { statusCode: isGone ? 404 : 403, code });
      },
    },
    effects: {
      read: async () => structuredClone(stored),
      update: async (_: unknown, change: (current: KeyEffect | undefined) => KeyEffect) => {
        stored = change(structuredClone(stored));
        return stored;
      },
    },
    keys: { listVersions: async () => [version] },
    now: () => new Date(nowMs),
  };

  /** Runs rounds until none is due, and calls `seen` after each. */
  const rounds = async (seen: (counts: Record<EffectState, number>) => void = () => {}): Promise<void> => {
    const work = probeMessage(KEY, { by: 'revoke', ref: 'call', since: '' });
    for (let isDone = false; !isDone; ) {
      const outcome = await probeKey(work, services as never, (record) => {
        records.push(record);
      });

      const counts = { blocked: 0, open: 0, unknown: 0 };

      for (const { state } of stored?.accounts ?? []) counts[state] += 1;

      seen(counts);

      isDone = outcome.outcome !== 'again';

      if (outcome.outcome === 'again') nowMs += outcome.delaySeconds * 1000;
    }
  };

  return { rounds, lists, refused, records, gone, effect: () => stored, seconds: () => (nowMs - START) / 1000 };
}

describe('the effect of a revocation with 1,000 dependents in a region, where Azure admits 100 lists in five minutes', () => {
  const key = revokedKey(1_000);
  const seen: Record<EffectState, number>[] = [];

  beforeAll(() => key.rounds((counts) => seen.push(counts)));

  it('The probe sees the effect on each of 1,000 dependents in a region that admits 100 lists in five minutes', () => {
    expect(seen.at(-1)).toEqual({ blocked: 1_000, open: 0, unknown: 0 });
    expect(key.records.at(-1)).toMatchObject({ reason: 'EffectSeen', level: 'info' });
  });

  it('The effect stays recorded for each account on which the probe saw it', () => {
    const blocked = seen.map((counts) => counts.blocked);
    expect(blocked).toEqual(blocked.toSorted((a, b) => a - b));
  });

  it('The probe lists the shares of each account once', () => {
    expect(key.lists).toHaveLength(1_000);
  });

  it('The probe stops the lists of a round in a region that throttled one, except for those in flight', () => {
    const rounds = Object.values(Object.groupBy(key.refused, (atMs) => atMs));
    for (const refused of rounds) expect(refused?.length).toBeLessThanOrEqual(CONCURRENCY);
  });
});

describe('the effect of a revocation while lists of shares are throttled', () => {
  it('The probe reaches accounts that come after 150 accounts without a share', async () => {
    const key = revokedKey(200, { withoutShare: 150 });
    await key.rounds();
    const { accounts = [] } = key.effect() ?? {};
    expect(accounts.filter(({ state }) => state === 'blocked')).toHaveLength(50);
    expect(accounts.filter(({ why }) => why === SERVICE_WORDS.file.nothing)).toHaveLength(150);
    expect(key.records.at(-1)).toMatchObject({ reason: 'EffectSeen', accounts: 200, silent: 150 });
  });

  it('The effect stays recorded for an account whose share is deleted while its shares cannot be listed', async () => {
    const key = revokedKey(160);
    let round = 0;
    await key.rounds(({ blocked }) => {
      if (round === 0) key.gone.add('st0000');
      expect(blocked).toBeGreaterThanOrEqual(100);
      round += 1;
    });
    const found = key.effect()?.accounts.find(({ account: id }) => id.endsWith('/st0000'));
    expect(found).toMatchObject({ state: 'blocked', share: 'share2', secondsAfterChange: 0 });
  });

  it('The time until Storage refused excludes an account that was first probed in a later round', async () => {
    const key = revokedKey(160);
    await key.rounds();
    expect(key.seconds()).toBeGreaterThan(60);
    expect(key.effect()?.refusedAfter?.seconds ?? 0).toBeLessThanOrEqual(5);
  });
});
