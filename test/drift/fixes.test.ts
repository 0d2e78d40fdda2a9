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
