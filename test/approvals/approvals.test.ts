import { describe, expect, it } from 'vitest';
import { APPROVAL_LIFE_MS, type ApprovalRequest } from '../../src/approvals/approval.ts';
import { type Asking, approveRequest, askForApproval, requestOf } from '../../src/approvals/approvals.ts';
import { approveAndCarryOut, callAsAsked } from '../../src/approvals/approved-once.ts';
import { CmkError } from '../../src/errors.ts';
import { MemoryApprovals } from './memory-approvals.ts';

const NOW = new Date('2026-11-25T03:00:00Z');
const RESTORE: Asking = { action: 'restore', vault: 'kv-files', key: 'k', revocation: 'cafe', reason: 'Found' };
const NEEDED = { revokers: [], atLeast: 1 };
const call = (objectId: string) =>
  ({ caller: { objectId, appId: 'az', kind: 'person' }, correlationId: `call of ${objectId}` }) as const;

function world() {
  const approvals = new MemoryApprovals();
  let now = NOW;
  const services = {
    approvals,
    audit: async () => ({ failed: 'not looked at here' }),
    queue: { send: async () => {} },
    now: () => now,
  };
  return {
    approvals,
    services,
    minutePasses() {
      now = new Date(now.getTime() + 60_000);
    },
    ask: (who: string, what = RESTORE, needed = 1) => askForApproval(what, needed, call(who), services, () => {}),
    approve: (id: string, who: string, needed = NEEDED) =>
      approveRequest(id, needed, call(who), services, () => {}).then(({ state }) => state),
    carryOut: (asked: ApprovalRequest, run: (approved: ApprovalRequest) => Promise<string>, who = 'bob') =>
      approveAndCarryOut(
        asked,
        NEEDED,
        call(who),
        services,
        () => {},
        async (approved) => ({
          result: await run(approved),
          outcome: 'Restored',
        }),
      ),
  };
}

describe('what is asked for', () => {
  it('is one request of each who asks: nobody takes that of another for their own', async () => {
    const { ask, minutePasses } = world();
    const [alice, bob] = [await ask('alice'), await ask('bob')];
    expect(bob).toMatchObject({ state: 'waiting', askedBy: { objectId: 'bob' } });
    minutePasses();
    expect((await ask('alice')).id).toBe(alice.id);
    for (const more of [{ reason: 'Lost again' }, { ticket: 'INC-1' }]) {
      expect((await ask('alice', { ...RESTORE, ...more })).id).not.toBe(alice.id);
    }
  });

  it('waits in no crowd: twenty of one who asks, and those of others beside', async () => {
    const { ask } = world();
    const some = (n: number) => ({ ...RESTORE, key: `k${n}` });
    for (let n = 0; n < 20; n += 1) await ask('alice', some(n));
    await expect(ask('alice', some(20))).rejects.toMatchObject({ reason: 'TooManyWaiting' });
    expect((await ask('alice', some(0))).state).toBe('waiting');
    expect((await ask('bob', some(20))).state).toBe('waiting');
  });

  it('is approved by each of two who do so at the same moment', async () => {
    const { ask, approve } = world();
    const { id } = await ask('alice', RESTORE, 2);
    expect((await Promise.all([approve(id, 'bob'), approve(id, 'carol')])).sort()).toEqual(['running', 'waiting']);
  });

  it('is not what stands in the place of another one', async () => {
    const { ask, approvals, approve } = world();
    const [mine, other] = [await ask('alice'), await ask('alice', { ...RESTORE, revocation: 'beef' })];
    approvals.get = () => MemoryApprovals.prototype.get.call(approvals, other.id);
    await expect(approve(mine.id, 'bob')).rejects.toMatchObject({ reason: 'ApprovalAltered' });
  });

  it('is told of with why it could not be kept, whatever else cannot be read then', async () => {
    const { ask, approvals } = world();
    approvals.put = () => Promise.reject(new Error('no room'));
    approvals.get = () => Promise.reject(new Error('no answer'));
    await expect(ask('alice')).rejects.toThrow('no room');
  });

  it('is not taken for asked by a request that somebody has altered in the storage', async () => {
    const { ask, approvals } = world();
    const forged = { ...(await world().ask('alice')), id: 'f'.repeat(40) };
    await approvals.put(forged, undefined, []);
    expect((await ask('alice')).id).not.toBe(forged.id);
  });

  it('ends after a shift, or with the pause that it asks for', async () => {
    const { ask } = world();
    const ends = async (what: Asking) => (await ask('alice', what)).expiresOn;
    const shift = new Date(NOW.getTime() + APPROVAL_LIFE_MS).toISOString();
    const pause = {
      action: 'pause',
      vault: undefined,
      key: undefined,
      reason: 'Migration',
      ticket: undefined,
    } as const;
    expect(await ends(RESTORE)).toBe(shift);
    expect(await ends({ ...pause, until: '2026-11-26T03:00:00.000Z' })).toBe(shift);
    expect(await ends({ ...pause, until: '2026-11-25T04:00:00.000Z' })).toBe('2026-11-25T04:00:00.000Z');
  });

  it('takes no fewer than it took when it was asked for, whatever is set since', async () => {
    const { ask, approve } = world();
    const { id } = await ask('alice', RESTORE, 2);
    expect(await approve(id, 'bob')).toBe('waiting');
    expect(await approve(id, 'carol')).toBe('running');
  });

  it.each(['../cmk-audit/x', 'short', 'A'.repeat(40), 'a'.repeat(65)])('is in no place called %s', async (id) => {
    const { approvals, services } = world();
    await expect(requestOf(id, services)).rejects.toMatchObject({ reason: 'ApprovalNotFound' });
    expect(approvals.asked).toEqual([]);
  });
});

describe('what was approved', () => {
  it('is carried out with the last approval that it takes, and not before, as whoever asked', async () => {
    const { ask, carryOut } = world();
    const asked = await ask('alice', RESTORE, 2);
    const first = await carryOut(asked, () => expect.unreachable());
    expect(first).toMatchObject({ approval: { state: 'waiting' } });
    expect(first).not.toHaveProperty('result');
    const last = await carryOut(
      asked,
      async (approved) => {
        expect(callAsAsked(approved)).toMatchObject({
          caller: { objectId: 'alice' },
          correlationId: 'call of carol',
          approval: { id: asked.id, approvedBy: [{ objectId: 'bob' }, { objectId: 'carol' }] },
        });
        return 'given back';
      },
      'carol',
    );
    expect(last).toMatchObject({ approval: { state: 'done' }, result: 'given back' });
  });

  // Whoever may write the storage puts it back before it is read again.
  it('is not carried out as it was altered while its approver was looked at', async () => {
    const { ask, carryOut, services } = world();
    const asked = await ask('alice');
    const altered = { ...asked, revocation: 'beef' } as ApprovalRequest;
    await expect(carryOut(altered, () => expect.unreachable())).rejects.toMatchObject({ reason: 'ApprovalAltered' });
    expect((await requestOf(asked.id, services)).state).toBe('waiting');
  });

  it('has failed where it could not be done, with why', async () => {
    const { ask, carryOut, services } = world();
    const asked = await ask('alice');
    const failing = () => Promise.reject(new CmkError('OtherRevocation', 'It is another one.', ''));
    await expect(carryOut(asked, failing)).rejects.toMatchObject({ reason: 'OtherRevocation' });
    expect(await requestOf(asked.id, services)).toMatchObject({ state: 'failed', outcome: 'OtherRevocation' });
  });

  it('is done, and said to be, though that cannot be written down; and it is not done twice', async () => {
    const { ask, approve, carryOut, approvals } = world();
    const asked = await ask('alice');
    const done = await carryOut(asked, async () => {
      approvals.get = () => Promise.reject(new Error('no answer'));
      return 'given back';
    });
    expect(done).toMatchObject({ approval: { state: 'done', outcome: 'Restored' }, result: 'given back' });
    approvals.get = MemoryApprovals.prototype.get;
    await expect(approve(asked.id, 'carol')).rejects.toMatchObject({ reason: 'ApprovalOver' });
  });
});
