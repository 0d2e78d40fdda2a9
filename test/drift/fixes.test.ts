import { describe, expect, it } from 'vitest';
import type { Hold } from '../../src/accounts/rollout.ts';
import { Turns } from '../../src/azure/turns.ts';
import { type FixServices, fix } from '../../src/drift/fixes.ts';
import type { Finding } from '../../src/drift/report.ts';
import { ManagedVaults } from '../../src/keys/managed-vaults.ts';
import type { Work } from '../../src/work/messages.ts';
import { keptLog } from '../support/app-services.ts';
import { account, KEY, NOW } from './checks/subjects.ts';
import { finding } from './reports.ts';

const PAUSED: Hold = { reason: 'Paused', detail: 'Paused by Ada.', delaySeconds: 60 };
const CANARY: Hold = { reason: 'CanaryUnderWay', detail: 'The canary first.', delaySeconds: 60 };
const OF_ACCOUNT = finding({ action: { kind: 'account', account: account().id, location: 'x', key: KEY.id } });
const OF_KEY = finding({
  id: 'f2',
  reason: 'NearExpiry',
  resource: KEY.id,
  action: { kind: 'rotate', key: KEY.id, version: 'v1' },
});
const retirable = (n: number): Finding =>
  finding({
    id: `r${n}`,
    reason: 'RetirableVersion',
    resource: `${KEY.id}/v${n}`,
    action: { kind: 'retire', key: KEY.id, version: `v${n}` },
  });

async function fixed(
  findings: readonly Finding[],
  { paused, hold, send }: { paused?: Hold; hold?: Hold; send?: (work: Work) => Promise<void> } = {},
  autofix = ['StaleKeyVersion', 'NearExpiry', 'RetirableVersion'],
) {
  const sent: Work[] = [];
  const services = {
    settings: { vaults: new ManagedVaults([KEY.vault]), drift: { autofix } },
    rollout: { paused: async () => paused, stage: async () => ({ hold: () => hold, unknown: false }) },
    queue: {
      send: async (_: string, work: Work) => {
        await send?.(work);
        sent.push(work);
      },
    },
    // Nothing is listed: what would be retired is disabled by now.
    keys: { listVersions: async () => [] },
    schedule: new Turns(1),
    now: () => NOW,
  } as unknown as FixServices;
  const fixes = await fix(findings, 'check', services, keptLog().log);
  return { sent: sent.map(({ kind }) => kind), outcomes: fixes.map(({ outcome }) => outcome) };
}

describe('a fix', () => {
  it('puts to work what CMK_AUTOFIX names and nobody has exempted', async () => {
    expect(await fixed([OF_ACCOUNT, OF_KEY])).toEqual({
      sent: ['rotate', 'account'],
      outcomes: ['enqueued', 'enqueued'],
    });
    expect(await fixed([OF_ACCOUNT, OF_KEY], {}, ['NearExpiry'])).toEqual({ sent: ['rotate'], outcomes: ['enqueued'] });
    const exemption = { by: 'Ada', until: undefined } as unknown as NonNullable<Finding['exemption']>;
    expect(await fixed([{ ...OF_ACCOUNT, exemption }])).toEqual({ sent: [], outcomes: [] });
  });

  it('waits while its key is paused, whatever it would do', async () => {
    const all = [OF_ACCOUNT, OF_KEY, retirable(1)];
    expect(await fixed(all, { paused: PAUSED })).toEqual({ sent: [], outcomes: ['waiting', 'waiting', 'waiting'] });
  });

  it('of an account waits for the canary and for its wave', async () => {
    const outcomes = ['waiting', 'enqueued'];
    expect(await fixed([OF_ACCOUNT, OF_KEY], { hold: CANARY })).toEqual({ sent: ['rotate'], outcomes });
  });

  it('that fails keeps nobody from the others', async () => {
    const send = async ({ kind }: Work) => {
      if (kind === 'account') throw new Error('queue down');
    };
    expect(await fixed([OF_ACCOUNT, OF_KEY], { send })).toEqual({ sent: ['rotate'], outcomes: ['failed', 'enqueued'] });
  });

  it('retires so many versions in one check, and leaves the others to the next', async () => {
    const many = Array.from({ length: 20 }, (_, n) => retirable(n));
    expect((await fixed([...many, OF_ACCOUNT])).outcomes).toEqual([...Array(8).fill('done'), 'enqueued']);
  });
});

describe('an event subscription that Azure does not let the app make', () => {
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
      rollout: { paused: async () => undefined },
      schedule: new Turns(1),
      now: () => NOW,
    } as unknown as FixServices;
    const [fix_] = await fix([missing], 'check', services, log.log);
    return { fix: fix_, records: log.records };
  }

  it('for want of a right on the dead-letter destination names that right and its parameter, in the report and the log', async () => {
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

  it('for want of a right on its function, or on the topic, names allowEventRepair', async () => {
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

  it('for another reason says what Azure says', async () => {
    const { fix: made } = await refusedWith('Forbidden', 'no');
    expect(made?.detail).toBe('403 Forbidden: no');
  });
});
