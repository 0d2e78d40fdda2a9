import { createFromRecord } from '../../src/notify/from-record.ts';
import { createDigest, createFromReport } from '../../src/notify/from-report.ts';
import { makeNotification, type Notification } from '../../src/notify/notification.ts';
import { finding, report } from '../drift/reports.ts';

export const TIME = '2026-11-25T10:00:00.000Z';
const KEY = 'https://kv-files.vault.azure.net/keys/files-key';

/** Text that would be a link, a mention, markup or a template somewhere. */
export const HOSTILE =
  '<!channel> <https://evil.example|click> & **b** [x](https://evil.example) <at>all</at> {{DATE(2026-01-01,SHORT)}} {{{DATE(2026-01-01,SHORT)}} $' +
  '{x} \u202Eabc\u0000';

const caller = {
  objectId: 'aaaaaaaa-0000-0000-0000-000000000001',
  appId: 'cccccccc-0000-0000-0000-000000000001',
  kind: 'person' as const,
  tokenId: 'TOKEN-ID',
  name: 'Ada',
};

export function record(action: string, reason: string, details: Record<string, unknown> = {}, id = 'e1') {
  const entry = { id, action, reason, resource: KEY, caller, correlationId: 'c1', details };
  return { id: 'r1', time: TIME, entry };
}

function told(action: string, reason: string, details?: Record<string, unknown>): Notification {
  const notification = createFromRecord(record(action, reason, details));
  if (!notification) throw new Error(`${action} ${reason} is not told.`);
  return notification;
}

function made(text: string, kind: Notification['kind'], data: Notification['data'] = {}): Notification {
  const severity = kind === 'test' ? 'info' : 'error';
  return makeNotification({ event: [text], kind, time: TIME, subject: text, severity, title: text, text, data });
}

const revocation = { id: 'rev1', revokedOn: TIME, revokedBy: 'x' };
const said = { why: 'A laptop was stolen', ticket: 'INC-1', revocation };
const counts = { version: 'v2', startedOn: TIME, moved: 1_998, waiting: 0, failed: 2, left: 1 };
const many = Array.from({ length: 300 }, (_, n) =>
  finding({ id: `f${n}`, reason: 'KeyTooOld', cause: { id: `c${n}`, reason: 'KeyTooOld', about: [`${KEY}-${n}`] } }),
);
const expiry = finding({
  id: 'fx',
  reason: 'NearExpiry',
  severity: 'warning',
  cause: { id: 'cx', reason: 'NearExpiry', about: [KEY] },
});
const fresh = createFromReport(report({ findings: [...many, expiry] }), []).notifications;

/** One of each kind, and some at their limits. */
export const SAMPLES: Readonly<Record<string, Notification>> = {
  revoked: told('key.revoke', 'Revoked', said),
  revocationIncomplete: told('key.revoke', 'RevocationIncomplete', said),
  restored: told('key.restore', 'Restored', said),
  restoreIncomplete: told('key.restore', 'RestoreOvertaken', said),
  rotationFinished: told('key.rotation', 'RotationFinished', counts),
  rotationStuck: told('key.rotation', 'WaveFailed', counts),
  ...Object.fromEntries(fresh.map((one) => [one.kind, one])),
  digest: createDigest({
    day: '2026-11-25',
    now: new Date(TIME),
    report: report({ findings: many }),
    before: { gone: 'KeyTooOld: x' },
  }).notification,
  test: made('Test', 'test'),
  hostile: made(HOSTILE, 'revoked', { why: HOSTILE, ticket: HOSTILE, byName: HOSTILE }),
  long: made(
    '<&>😀\n'.repeat(2_000),
    'revoked',
    Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`fact${n}`, '<&>😀'.repeat(2_000)])),
  ),
};
