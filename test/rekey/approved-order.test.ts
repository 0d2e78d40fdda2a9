import { describe, expect, it } from 'vitest';
import { type Approver, approvalId, type RekeyApproval } from '../../src/approvals/approval.ts';
import type { RekeyOrder } from '../../src/fleet/rekey-order.ts';
import { type ApprovalRead, approvedOrders, isApprovedOrder } from '../../src/rekey/approved-order.ts';
import { KEY, VAULT, VAULTS } from '../support/keys.ts';
import { rekeyOrder } from '../support/rekeys.ts';

// What an order says of its approval is not believed: whoever writes the table of re-keys could say it.

const person = (objectId: string): Approver => ({ objectId, appId: 'az', kind: 'person' });
const given = (objectId: string, kind: 'person' | 'application' = 'person') => ({
  ...person(objectId),
  ...{ kind, on: '2026-04-11T00:00:00.000Z', correlationId: 'call' },
});
function request(change: Partial<RekeyApproval> = {}): RekeyApproval {
  const asked: RekeyApproval = {
    v: 1,
    id: '',
    action: 'rekey',
    vault: VAULT.name,
    key: KEY.name,
    to: { vault: VAULT.name, key: 'new-key' },
    maxFailures: 3,
    reason: 'It has leaked',
    askedBy: person('asker'),
    askedOn: '2026-04-11T00:00:00.000Z',
    expiresOn: '2026-04-11T08:00:00.000Z',
    needed: 1,
    approvedBy: [given('first')],
    state: 'done',
    ...change,
  };
  return { ...asked, id: approvalId(asked) };
}
const REQUEST = request();
const orderOf = (asked: RekeyApproval, change: Partial<RekeyOrder> = {}): RekeyOrder =>
  rekeyOrder({
    id: asked.id,
    by: { objectId: 'asker', appId: 'az' },
    approval: { id: asked.id, approvedBy: [{ objectId: 'first', on: '2026-04-11T00:00:00.000Z' }] },
    ...change,
  });

describe('an order where others have to approve', () => {
  const is = (order: RekeyOrder, kept: RekeyApproval | undefined, needed = 1) =>
    isApprovedOrder(order, kept, needed, VAULTS);

  it('is approved by the request of its id, and that alone', () => {
    expect(is(orderOf(REQUEST), REQUEST)).toBe(true);
    expect(is(orderOf(REQUEST), undefined)).toBe(false);
    expect(is(rekeyOrder(), undefined)).toBe(false);
    const other = request({ reason: 'Another one' });
    expect(is(orderOf(REQUEST), other)).toBe(false);
    // Its own id says nothing where the request is about something else.
    expect(is(orderOf(other, { approval: { id: REQUEST.id, approvedBy: [] } }), REQUEST)).toBe(false);
  });

  it.each<[string, Partial<RekeyOrder>]>([
    ['another key that everything moves to', { to: `${VAULT.uri}/keys/mine` }],
    ['another key that everything moves off', { from: `${VAULT.uri}/keys/other` }],
    ['the other way round', { from: rekeyOrder().to, to: rekeyOrder().from }],
    ['a vault of mine', { to: 'https://kv-mine.vault.azure.net/keys/new-key' }],
    ['more that may fail', { maxFailures: 1_000 }],
    ['somebody else who has ordered it', { by: { objectId: 'first', appId: 'az' } }],
  ])('is not, with %s', (_, change) => {
    expect(is(orderOf(REQUEST, change), REQUEST)).toBe(false);
  });

  it.each<[string, Partial<RekeyApproval>]>([
    ['waits', { state: 'waiting' }],
    ['was withdrawn', { state: 'withdrawn' }],
    ['was not started, as it was unfit by then', { state: 'failed' }],
    ['nobody has approved', { approvedBy: [] }],
    ['whoever asked has approved alone', { approvedBy: [given('ASKER')] }],
    ['an application has approved', { approvedBy: [given('first', 'application')] }],
  ])('is not by a request that %s', (_, change) => {
    const kept = request(change);
    expect(is(orderOf(kept), kept)).toBe(false);
  });

  it('is not by one that somebody has changed since', () => {
    expect(is(orderOf(REQUEST, { maxFailures: 9 }), { ...REQUEST, maxFailures: 9 })).toBe(false);
  });

  it('takes as many people as the settings ask for, each counted once', () => {
    const twice = request({ approvedBy: [given('first'), given('FIRST')] });
    expect([1, 2].map((needed) => is(orderOf(twice), twice, needed))).toEqual([true, false]);
    const two = request({ approvedBy: [given('first'), given('second')], state: 'running' });
    expect([2, 3].map((needed) => is(orderOf(two), two, needed))).toEqual([true, false]);
  });
});

describe('whether orders are approved', () => {
  const asking = (needed: number, kept: RekeyApproval | undefined) => {
    const asked: string[] = [];
    const approvals: ApprovalRead = {
      get: async (id) => {
        asked.push(id);
        return kept && { request: kept, etag: '1' };
      },
    };
    return { asked, approved: approvedOrders(approvals, { vaults: VAULTS, needed }) };
  };

  it('is asked of nobody where nobody has to approve, or it says itself that nobody has', async () => {
    const none = asking(0, undefined);
    expect(await none.approved(rekeyOrder())).toBe(true);
    const one = asking(1, REQUEST);
    expect(await one.approved(rekeyOrder())).toBe(false);
    expect([...none.asked, ...one.asked]).toEqual([]);
  });

  it('is asked once, and again for an order that was changed, or was not approved', async () => {
    const { asked, approved } = asking(1, REQUEST);
    const order = orderOf(REQUEST);
    expect([await approved(order), await approved({ ...order, etag: '2', state: 'takingBack' })]).toEqual([true, true]);
    expect(asked).toEqual([REQUEST.id]);
    expect(await approved({ ...order, to: `${VAULT.uri}/keys/mine` })).toBe(false);
    expect(await approved({ ...order, to: `${VAULT.uri}/keys/mine` })).toBe(false);
    expect(asked.length).toBe(3);
  });

  it('leaves an id that is none of a request where it is: it would become part of a name', async () => {
    const { asked, approved } = asking(1, REQUEST);
    const id = '../cmk-audit/x';
    expect(await approved(orderOf(REQUEST, { id, approval: { id, approvedBy: [] } }))).toBe(false);
    expect(asked).toEqual([]);
  });
});
