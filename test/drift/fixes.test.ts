import { describe, expect, it } from 'vitest';
import { formatScopeId } from '../../src/azure/resource-id.ts';
import type { FleetWork } from '../../src/controller/worker-ports.ts';
import { type FixServices, fix } from '../../src/drift/apply/fixes.ts';
import type { Finding } from '../../src/drift/report/report.ts';
import type { NewWorkItem } from '../../src/index/work-items.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { createManagedKey, type ManagedKey, ManagedVaults } from '../../src/keys/managed-vaults.ts';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import type { Work } from '../../src/work/messages.ts';
import { keptLog } from '../support/app-services.ts';
import { account, DAYS, KEY, NOW, version } from './checks/subjects.ts';
import { finding } from './reports.ts';

const OF_ACCOUNT = finding({ action: { kind: 'account', account: account().id, location: 'x', key: KEY.id } });
const OF_KEY = finding({
  id: 'f2',
  reason: 'NearExpiry',
  resource: KEY.id,
  action: { kind: 'rotate', key: KEY.id, version: 'v1' },
});
const retirable = (n: number, key = KEY.id): Finding =>
  finding({
    id: `r${key}${n}`,
    reason: 'RetirableVersion',
    resource: `${key}/v${n}`,
    action: { kind: 'retire', key, version: `v${n}` },
  });
/** A key whose versions a retirement keeps, because none has a usable successor. */
const HELD = createManagedKey(KEY.vault, 'held-key');
const heldVersions = (count: number): KeyVersion[] =>
  Array.from({ length: count }, (_, n) =>
    version(n + 1, { version: `v${n}`, notBefore: new Date(NOW.getTime() + DAYS) }),
  );

const PAUSE = { id: 'p', reason: 'Paused by Ada.', by: { objectId: 'ada' }, since: NOW.toISOString() };

async function fixed(
  findings: readonly Finding[],
  {
    paused,
    putNew,
    round,
    indexed = [],
    areOrdersDown,
  }: {
    paused?: boolean;
    putNew?: () => Promise<void>;
    round?: number;
    indexed?: readonly string[];
    areOrdersDown?: boolean;
  } = {},
  autofix = ['StaleKeyVersion', 'NearExpiry', 'RetirableVersion'],
) {
  const done: string[] = [];
  const services = {
    settings: { vaults: new ManagedVaults([KEY.vault]), drift: { autofix } },
    orderStore: {
      recent: async () => {
        if (areOrdersDown) throw new Error('orders down');
        return { ...NO_ORDERS, pauses: paused ? [PAUSE] : [] };
      },
    },
    queue: {
      send: async (_: string, { kind }: Work) => {
        done.push(kind);
      },
    },
    requestKeys: async (keys: readonly string[]) => {
      done.push(...keys.map((key) => `reconcile ${key}`));
    },
    workItems: {
      refresh: async () => true,
      put: async (items: readonly NewWorkItem[]) => {
        done.push(...items.map(nameOf));
      },
      async putNew(items: readonly NewWorkItem[]) {
        await putNew?.();
        done.push(...items.map(nameOf));
      },
    },
    useRows: {
      async *of() {
        for (const scope of indexed) yield { account: account().id, scope };
      },
    },
    fleetQueue: {
      send: async ({ subscriptions }: FleetWork) => {
        done.push(`read items of ${subscriptions}`);
      },
    },
    // Nothing is listed of the other key: what would be retired is disabled by now.
    keys: { listVersions: async ({ name }: ManagedKey) => (name === HELD.name ? heldVersions(20) : []) },
    now: () => NOW,
  } as unknown as FixServices;

  const { log, records } = keptLog();
  const fixes = await fix(findings, 'check', services, log, round);

  return {
    done: done.sort(),
    outcomes: fixes.map(({ outcome }) => outcome),
    logged: records.flatMap(({ reason }) => (reason.startsWith('DriftFix') ? reason : [])),
  };
}

const nameOf = ({ subscription, kind, about, fresh }: NewWorkItem) =>
  `${subscription} ${kind} ${about}${fresh ? ' fresh' : ''}`;

describe('an automatic fix', () => {
  const moved = [
    `${account().subscriptionId} key ${KEY.id}`,
    `read items of ${account().subscriptionId}`,
    `reconcile ${KEY.id}`,
  ];

  it('An automatic fix is made for the reasons of CMK_AUTOFIX that have no exemption', async () => {
    const outcomes = ['enqueued', 'enqueued'];
    expect(await fixed([OF_ACCOUNT, OF_KEY])).toMatchObject({ done: [...moved, 'rotate'], outcomes });
    expect(await fixed([OF_ACCOUNT, OF_KEY], {}, ['NearExpiry'])).toMatchObject({
      done: ['rotate'],
      outcomes: ['enqueued'],
    });
    const exemption = { by: 'Ada', until: undefined } as unknown as NonNullable<Finding['exemption']>;
    expect(await fixed([{ ...OF_ACCOUNT, exemption }])).toMatchObject({ done: [], outcomes: [] });
  });

  it('An automatic fix of many accounts and scopes is one work item for each subscription and key', async () => {
    const findings = Array.from({ length: 50 }, (_, n) => ({ ...OF_ACCOUNT, id: `f${n}` }));
    expect(await fixed(findings)).toMatchObject({ done: moved, outcomes: Array(50).fill('enqueued') });
  });

  it('An automatic fix of a scope has every use of its key read, as no list shows where the index is wrong', async () => {
    const ofScope = { ...OF_ACCOUNT, id: 'f3', resource: formatScopeId(account().id, 'scope1') };
    const [item, ...rest] = moved;
    for (const findings of [[ofScope], [ofScope, OF_ACCOUNT], [OF_ACCOUNT, ofScope]]) {
      expect((await fixed(findings, { indexed: ['scope1'] })).done).toEqual([`${item} fresh`, ...rest]);
    }
  });

  it('An automatic fix of scopes that the index lacks has the scopes of their account listed once', async () => {
    const scopes = ['scope1', 'scope2', 'scope3'].map((name) => ({
      ...OF_ACCOUNT,
      id: name,
      resource: formatScopeId(account().id, name),
    }));
    const [, ...rest] = moved;
    expect((await fixed(scopes)).done).toEqual([...rest, `${account().subscriptionId} scopes ${account().id}`].sort());
  });

  it('An automatic fix that is only queued is not logged as made', async () => {
    expect((await fixed([OF_ACCOUNT, OF_KEY])).logged).toEqual([]);
    expect((await fixed([OF_ACCOUNT, retirable(1)])).logged).toEqual(['DriftFixed']);
  });

  it('An automatic fix waits while its key is paused, whatever kind it is', async () => {
    const all = [OF_ACCOUNT, OF_KEY, retirable(1)];
    expect(await fixed(all, { paused: true })).toMatchObject({ done: [], outcomes: ['waiting', 'waiting', 'waiting'] });
  });

  it('An automatic fix of a key fails, and leaves no unhandled rejection, while the orders cannot be read', async () => {
    const rejections: unknown[] = [];
    const note = (error: unknown) => {
      rejections.push(error);
    };

    process.on('unhandledRejection', note);
    try {
      expect((await fixed([OF_KEY], { areOrdersDown: true })).outcomes).toEqual(['failed']);
      expect((await fixed([], { areOrdersDown: true })).outcomes).toEqual([]);
      await new Promise(setImmediate);
    } finally {
      process.off('unhandledRejection', note);
    }

    expect(rejections).toEqual([]);
  });

  it('An automatic fix that fails prevents no other', async () => {
    const putNew = () => Promise.reject(new Error('table down'));
    expect(await fixed([OF_ACCOUNT, OF_KEY], { putNew })).toMatchObject({
      done: ['rotate'],
      outcomes: ['failed', 'enqueued'],
    });
  });

  it('An automatic fix retires a limited number of versions in one check, and the others in the next', async () => {
    const many = Array.from({ length: 20 }, (_, n) => retirable(n));
    expect((await fixed([OF_ACCOUNT, ...many])).outcomes).toEqual(['enqueued', ...Array(8).fill('done')]);
  });

  it('An automatic fix retires a version even if many before it stay in use', async () => {
    const kept = Array.from({ length: 8 }, (_, n) => retirable(n, HELD.id));
    const outcomesOf = async (round: number) =>
      (await fixed([...kept, retirable(1)], { round })).outcomes.filter((outcome) => outcome !== 'waiting');
    expect([await outcomesOf(0), await outcomesOf(1), await outcomesOf(2)]).toEqual([[], ['done'], ['done']]);
  });
});

describe('an event subscription that Azure refuses', () => {
  const vaultId = KEY.vault.id;
  const storage = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/stcmk';

  const missing = finding({
    reason: 'EventSubscriptionMissing',
    resource: vaultId,
    action: { kind: 'events', vault: vaultId, functionName: 'keyExpired' },
  });

  async function refusedWith(code: string, message: string) {
    const eventGrid = {
      read: async () => ({ topic: undefined, topicUnreadable: undefined, subscriptions: [] }),
      put: async () => {
        throw Object.assign(new Error(message), { statusCode: 403, code });
      },
    };

    const log = keptLog();

    const services = {
      settings: {
        vaults: new ManagedVaults([KEY.vault]),
        drift: {
          autofix: ['EventSubscriptionMissing'],
          functionAppId: '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/func',
          storageAccountId: storage,
        },
      },
      eventGrid,
      orderStore: { recent: async () => NO_ORDERS },
      now: () => NOW,
    } as unknown as FixServices;

    const [fix_] = await fix([missing], 'check', services, log.log);

    return { fix: fix_, records: log.records };
  }

  it('An event subscription that lacks a right on the dead letters names it and its parameter, in report and log', async () => {
    const right = 'Microsoft.Storage/storageAccounts/blobServices/containers/write';
    const { fix: made, records } = await refusedWith(
      'LinkedAuthorizationFailed',
      `The client 'c' with object id 'o' has permission to perform action 'Microsoft.EventGrid/systemTopics/eventSubscriptions/write' on scope '/topic'; however, it does not have permission to perform action(s) '${right}' on the linked scope(s) '${storage}' (respectively) or the linked scope(s) are invalid.`,
    );
    expect(made).toMatchObject({ outcome: 'failed', detail: expect.stringContaining(`${right} on ${storage}`) });
    expect(made?.detail).toContain(`CMK_DEAD_LETTER_ACTIONS=${right}`);
    expect(made?.detail).toContain('deadLetterActions');
    expect(records).toMatchObject([{ reason: 'DriftFixFailed', message: expect.stringContaining(right) }]);
  });

  it('An event subscription that lacks a right on its function, or on the topic, names allowEventRepair', async () => {
    const linked = await refusedWith(
      'LinkedAuthorizationFailed',
      `The client has permission …; however, it does not have permission to perform action 'Microsoft.Web/sites/functions/write' on the linked scope(s) '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/func' or the linked scope(s) are invalid.`,
    );
    expect(linked.fix?.detail).toContain('CMK_ALLOW_EVENT_REPAIR=true');

    const plain = await refusedWith(
      'AuthorizationFailed',
      `The client 'c' does not have authorization to perform action 'Microsoft.EventGrid/systemTopics/eventSubscriptions/write' over scope '/topic' or the scope is invalid.`,
    );
    expect(plain.fix?.detail).toContain('CMK_ALLOW_EVENT_REPAIR=true');
  });

  it('An event subscription that Azure refuses for another reason reports the message of Azure', async () => {
    const { fix: made } = await refusedWith('Forbidden', 'no');
    expect(made?.detail).toBe('403 Forbidden: no');
  });
});
