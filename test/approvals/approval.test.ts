import { describe, expect, it } from 'vitest';
import {
  APPROVAL,
  type ApprovalRequest,
  type Approver,
  approvalId,
  approve,
  asShown,
  type Decided,
  type PauseApproval,
  type RekeyApproval,
  type RestoreApproval,
  RUN_LIMIT_MS,
  withdraw,
} from '../../src/approvals/approval.ts';

const NOW = new Date('2026-11-25T03:00:00Z');
const person = (objectId: string): Approver => ({ objectId, appId: 'az', kind: 'person' });
const ASKED: RestoreApproval = {
  v: 1,
  id: '',
  action: 'restore',
  vault: 'kv-files',
  key: 'files-key',
  revocation: 'cafe',
  reason: 'The laptop is back',
  askedBy: person('asker'),
  askedOn: '2026-11-25T02:00:00.000Z',
  expiresOn: '2026-11-25T10:00:00.000Z',
  needed: 2,
  approvedBy: [],
  state: 'waiting',
};
const REQUEST: RestoreApproval = { ...ASKED, id: approvalId(ASKED) };
const told = (decided: Decided): string => ('refused' in decided ? decided.refused : decided.next.state);
const by = (who: Approver, request: ApprovalRequest = REQUEST, now = NOW): string =>
  told(approve(request, who, 'call-1', ['revoker'], now));
const once = { ...person('first'), on: NOW.toISOString(), correlationId: 'call-0' };

describe('a request for approval', () => {
  it.each<[string, string, string]>([
    ['another person approves, and one more is needed', by(person('first')), 'waiting'],
    ['the last that it takes has it carried out', by(person('second'), { ...REQUEST, approvedBy: [once] }), 'running'],
    ['whoever asks does not approve', by(person('ASKER')), 'ApproverIsAsker'],
    ['nor does whoever revoked', by(person('Revoker')), 'ApproverIsRevoker'],
    ['nor an application', by({ ...person('x'), kind: 'application' }), 'ApproverIsApplication'],
    ['nor somebody of whom it is not known what they are', by({ objectId: 'x', appId: 'y' }), 'ApproverIsApplication'],
    ['nor the same person twice', by(person('FIRST'), { ...REQUEST, approvedBy: [once] }), 'ApprovedAlready'],
    ['nobody approves what has expired', by(person('first'), REQUEST, new Date(REQUEST.expiresOn)), 'ApprovalExpired'],
    ['nor what is being done', by(person('first'), { ...REQUEST, state: 'running' }), 'ApprovalOver'],
    ['nor what was done', by(person('first'), { ...REQUEST, state: 'done' }), 'ApprovalOver'],
    ['nor what failed', by(person('first'), { ...REQUEST, state: 'failed' }), 'ApprovalOver'],
    ['nor what was taken back', by(person('first'), { ...REQUEST, state: 'withdrawn' }), 'ApprovalOver'],
    ['whoever asked takes it back', told(withdraw(REQUEST, person('Asker'), NOW)), 'withdrawn'],
    ['and nobody else', told(withdraw(REQUEST, person('first'), NOW)), 'NotTheAsker'],
    [
      'not while it is carried out',
      told(withdraw({ ...REQUEST, state: 'running' }, person('asker'), NOW)),
      'ApprovalOver',
    ],
    ['nor when it has expired', told(withdraw(REQUEST, person('asker'), new Date('2027-01-01'))), 'ApprovalExpired'],
  ])('%s', (_, what, expected) => expect(what).toBe(expected));

  it('takes as many as the settings ask for by now, if that is more', () => {
    const decided = approve({ ...REQUEST, needed: 1 }, person('first'), 'call-1', [], NOW, 2);
    expect(decided).toMatchObject({ next: { state: 'waiting', needed: 2 } });
    expect(told(approve({ ...REQUEST, needed: 1 }, person('first'), 'call-1', [], NOW, 0))).toBe('running');
  });

  it('is changed in nothing but who approved and how it stands', () => {
    const decided = approve(REQUEST, person('first'), 'call-1', [], NOW);
    expect(decided).toEqual({
      next: { ...REQUEST, approvedBy: [{ ...person('first'), on: NOW.toISOString(), correlationId: 'call-1' }] },
    });
  });
});

describe('a request whose carrying out was cut off', () => {
  const running: RestoreApproval = { ...REQUEST, state: 'running', approvedBy: [once] };
  const shownAfter = (ms: number, request: ApprovalRequest = running): string =>
    asShown(request, new Date(NOW.getTime() + ms)).state;

  it('is being carried out for as long as a call may take, and then nobody knows how it ended', () => {
    // A call, what it has begun and takes effect late, and clocks that differ.
    expect(shownAfter((200 + 60 + 300) * 1_000)).toBe('running');
    expect(shownAfter(RUN_LIMIT_MS - 1)).toBe('running');
    const first = { ...once, on: new Date(NOW.getTime() - 3_600_000).toISOString() };
    expect(shownAfter(0, { ...running, approvedBy: [first, once] })).toBe('running');
    expect(shownAfter(RUN_LIMIT_MS)).toBe('unknown');
    expect(asShown(running, new Date(NOW.getTime() + RUN_LIMIT_MS))).toEqual({ ...running, state: 'unknown' });
  });

  it.each(['waiting', 'done', 'failed', 'withdrawn'] as const)('not one that is %s', (state) => {
    expect(shownAfter(RUN_LIMIT_MS, { ...running, state })).toBe(state);
  });

  it('is never carried out again', () => {
    const unknown = asShown(running, new Date(NOW.getTime() + RUN_LIMIT_MS));
    expect(by(person('second'), unknown)).toBe('ApprovalOver');
    expect(told(withdraw(unknown, person('asker'), NOW))).toBe('ApprovalOver');
  });
});

describe('what was asked for cannot be changed', () => {
  const other = person('someone-else');
  it.each<[string, Partial<RestoreApproval>]>([
    ['the vault', { vault: 'kv-records' }],
    ['the key', { key: 'archive-key' }],
    ['the revocation', { revocation: 'beef' }],
    ['the reason', { reason: 'Found' }],
    ['the ticket', { ticket: 'INC-1' }],
    ['who asks', { askedBy: other }],
    ['the kind of who asks', { askedBy: { ...REQUEST.askedBy, kind: 'application' } }],
    ['when it was asked for', { askedOn: '2026-11-25T02:00:00.001Z' }],
    ['when it expires', { expiresOn: '2027-11-25T10:00:00.000Z' }],
    ['its id', { id: 'a'.repeat(40) }],
  ])('%s', (_, change) => {
    expect(by(person('first'), { ...REQUEST, ...change })).toBe('ApprovalAltered');
  });

  // The id of one that was kept by the version before has no scope in it: it is read, and means the account.
  it.each([['a key', {}, '231d6afc138b889df13e69b6e8ea131db14c683a']])(
    'and one about %s that was kept before there were scopes is the same',
    (_, more, id) => {
      expect(by(person('first'), { ...REQUEST, ...more, id })).toBe('waiting');
      expect(APPROVAL.parse({ ...REQUEST, ...more, id })).toEqual({ ...REQUEST, ...more, id });
    },
  );

  it('nor the one made another, which is asked for with the same words', () => {
    const { revocation: _, ...asked } = ASKED;
    const pause: PauseApproval = { ...asked, action: 'pause' };
    expect(approvalId(pause)).not.toBe(REQUEST.id);
    expect(by(person('first'), { ...pause, id: REQUEST.id })).toBe('ApprovalAltered');
    expect(by(person('first'), { ...pause, id: approvalId(pause) })).toBe('waiting');
  });

  const { revocation: _, ...rest } = ASKED;
  const to = { vault: 'kv-records', key: 'new-key' };
  const asked: RekeyApproval = { ...rest, action: 'rekey', to, maxFailures: 3 };
  const rekey = { ...asked, id: approvalId(asked) };
  it.each<[string, Partial<RekeyApproval>, string]>([
    ['nothing', {}, 'waiting'],
    ['the key', { key: 'archive-key' }, 'ApprovalAltered'],
    ['the vault of the key that all moves to', { to: { ...to, vault: 'kv-files' } }, 'ApprovalAltered'],
    ['the key that all moves to', { to: { ...to, key: 'mine' } }, 'ApprovalAltered'],
    ['how many may fail', { maxFailures: 1_000 }, 'ApprovalAltered'],
  ])('nor that of a re-key: %s', (__, change, expected) => {
    expect(by(person('first'), { ...rekey, ...change })).toBe(expected);
  });
});
