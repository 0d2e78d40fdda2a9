import { describe, expect, it } from 'vitest';
import { createDigest, createFromReport } from '../../src/notify/from-report.ts';
import { account } from '../drift/checks/subjects.ts';
import { finding, report } from '../drift/reports.ts';

const SUBSCRIPTION = `/subscriptions/${account().subscriptionId}`;

const cause = (id: string, change: Parameters<typeof finding>[0] = {}) =>
  finding({
    id: `f-${id}`,
    cause: { id, reason: change.reason ?? 'StaleKeyVersion', about: [`about-${id}`] },
    ...change,
  });
const of = (...findings: ReturnType<typeof finding>[]) => report({ findings });

describe('new causes', () => {
  it('New causes are sent once until they are gone, and again when they come back', () => {
    const first = createFromReport(of(cause('a'), cause('b')), []);
    expect(first.notifications).toMatchObject([
      { kind: 'newCauses', title: '2 new causes of drift', severity: 'error' },
    ]);

    const second = createFromReport(of(cause('a'), cause('b')), first.known);
    expect(second.notifications).toEqual([]);

    const third = createFromReport(of(cause('b')), second.known);
    expect(third.notifications).toEqual([]);

    const back = { since: '2026-12-01T00:00:00.000Z' };
    const fourth = createFromReport(of(cause('a', back), cause('b')), third.known);

    expect(fourth.notifications).toMatchObject([{ title: '1 new cause of drift' }]);
    expect(fourth.notifications[0]?.id).not.toBe(first.notifications[0]?.id);
  });

  it('Causes that the check could not read are not gone', () => {
    const { known } = createFromReport(of(cause('a')), []);
    const unread = createFromReport({ ...of(), complete: false }, known);
    expect(createFromReport(of(cause('a')), unread.known).notifications).toEqual([]);
  });

  it('New causes of another report with the same causes are the same notification', () => {
    const [one] = createFromReport(of(cause('a'), cause('b')), []).notifications;
    const [other] = createFromReport({ ...of(cause('b'), cause('a')), id: 'r2' }, []).notifications;
    expect(other?.id).toBe(one?.id);
  });

  it('New causes are one notification with a sample, even if there are hundreds', () => {
    const many = Array.from({ length: 300 }, (_, n) => cause(`c${n}`));
    const { notifications, known } = createFromReport(of(...many), []);
    expect(notifications).toHaveLength(1);
    expect(notifications[0]?.text.split('\n').at(-1)).toBe('- and 290 more');
    expect(notifications[0]?.data).toMatchObject({ count: 300, causes: expect.any(Array) });
    expect(notifications[0]?.data.causes).toHaveLength(20);
    expect(known).toHaveLength(300);
  });

  it('New causes have the filled-in command that repairs each, and name a sample', () => {
    const command = 'az role assignment create --assignee-object-id p --scope /vaults/kv';
    const one = createFromReport(of(cause('a', { command })), []).notifications[0];
    expect(one?.text.split('\n')).toEqual(['- StaleKeyVersion: about-a', 'It is pinned to v1.', command]);
    expect(one?.data.causes).toEqual([expect.objectContaining({ command, sample: account().name })]);
    const two = createFromReport(of(cause('a', { command }), cause('b')), []).notifications[0];
    expect(two?.text.split('\n')).toEqual(['- StaleKeyVersion: about-a', command, '- StaleKeyVersion: about-b']);
    const long = createFromReport(of(cause('a', { command: `az ${'x'.repeat(800)}` })), []).notifications[0];
    expect(long?.data.causes).toEqual([expect.not.objectContaining({ command: expect.anything() })]);
  });

  it('New causes show the command of an account that left its key, with three ARM ids, and each command whole or not at all', () => {
    const id = (type: string, name: string) =>
      `${SUBSCRIPTION}/resourceGroups/rg-prod-westeurope-001/providers/${type}/${name}`;
    const command = [
      `cmk account enable ${id('Microsoft.Storage/storageAccounts', 'stfilesproduction0000001')}`,
      `--vault ${id('Microsoft.KeyVault/vaults', 'kv-files-production-0001')} --key files-key-production`,
      `--identity ${id('Microsoft.ManagedIdentity/userAssignedIdentities', 'id-storage-production-westeurope')} --pin newest`,
    ].join(' ');

    const of5 = ['a', 'b', 'c', 'd', 'e'].map((one) => cause(one, { command, is: 'x'.repeat(2_700) }));
    for (const causes of [of5.slice(0, 1), of5]) {
      const { text = '', data } = createFromReport(of(...causes), []).notifications[0] ?? {};
      const commands = text.split('\n').filter((line) => line.startsWith('cmk '));

      expect(new Set(commands)).toEqual(new Set([command]));
      expect(text.split('\n').filter((line) => line.startsWith('- '))).toHaveLength(causes.length);
      expect(data?.causes).toEqual(causes.map(() => expect.objectContaining({ command })));
    }
  });

  it('Causes are sent again once they become errors, and not as they get better', () => {
    const expiring = (severity: 'warning' | 'error') => of(cause('a', { reason: 'NearExpiry', severity }));
    const first = createFromReport(expiring('warning'), []);
    const second = createFromReport(expiring('error'), first.known);
    expect(second.notifications).toMatchObject([{ kind: 'nearExpiry', severity: 'error' }]);
    expect(second.notifications[0]?.id).not.toBe(first.notifications[0]?.id);
    const third = createFromReport(expiring('warning'), second.known);
    expect(third.notifications).toEqual([]);
    expect(createFromReport(expiring('error'), third.known).notifications).toEqual([]);
  });

  it('Causes that are advice or exempt are not sent as new ones', () => {
    const exemption = { reason: 'CHG-1', until: '2099-01-01' };
    expect(
      createFromReport(of(cause('a', { severity: 'advice' }), cause('b', { exemption })), []).notifications,
    ).toEqual([]);
  });

  it('Keys that near their expiry are a notification apart from the new causes', () => {
    const { notifications } = createFromReport(
      of(cause('a'), cause('b', { reason: 'NearExpiry', severity: 'warning' })),
      [],
    );
    expect(notifications).toMatchObject([
      { kind: 'nearExpiry', severity: 'warning', title: '1 key is expired or about to expire' },
      { kind: 'newCauses', severity: 'error' },
    ]);
  });
});

describe('a digest', () => {
  const day = '2026-11-25';
  const now = new Date(`${day}T06:00:00Z`);
  const at = (n: number) => `2026-11-0${n}T00:00:00.000Z`;

  it('A digest has what is new, what is gone, and what has been open for the longest time', () => {
    const two = of(cause('a', { since: at(3) }), cause('b', { since: at(1) }));
    const first = createDigest({ day, now, report: two, before: undefined });

    expect(first.notification.title).toBe('Digest: 2 open, 0 new, 0 gone');
    expect(first.notification.text).toBe(
      'Oldest open causes:\n- StaleKeyVersion: about-b, since 2026-11-01\n- StaleKeyVersion: about-a, since 2026-11-03',
    );

    const next = { day: '2026-11-26', now, report: of(cause('a'), cause('c')), before: first.causes };
    const { notification } = createDigest(next);

    expect(notification.title).toBe('Digest: 2 open, 1 new, 1 gone');
    expect(notification.text).toMatch(/^New:\n- StaleKeyVersion: about-c\nGone:\n- StaleKeyVersion: about-b\n/);
    expect(notification.id).not.toBe(first.notification.id);
  });

  it('The digest of a day is one notification, whatever it says', () => {
    const one = createDigest({ day, now, report: of(), before: undefined }).notification;
    expect(one).toMatchObject({ severity: 'info', text: 'No causes are open.' });
    expect(createDigest({ day, now, report: of(cause('a')), before: {} }).notification.id).toBe(one.id);
  });

  it('A digest does not count as gone what an incomplete report lacks', () => {
    const { notification, causes } = createDigest({
      day,
      now,
      report: { ...of(), complete: false },
      before: { a: 'x' },
    });
    expect(notification).toMatchObject({
      title: 'Digest: 0 open, 0 new, 0 gone',
      text: expect.stringContaining('there may be more causes'),
    });
    expect(causes).toEqual({ a: 'x' });
  });

  it('A digest says that no check has ended', () => {
    const { notification, causes } = createDigest({ day, now, report: undefined, before: { a: 'x' } });
    expect(notification).toMatchObject({ severity: 'error', title: expect.stringContaining('no drift check') });
    expect(causes).toEqual({ a: 'x' });
    expect(createDigest({ day, now, report: undefined, before: undefined }).causes).toEqual({});
  });

  it('A digest is a warning where nothing is an error', () => {
    const warning = of(cause('a', { severity: 'warning' }));
    expect(createDigest({ day, now, report: warning, before: undefined }).notification.severity).toBe('warning');
  });
});
