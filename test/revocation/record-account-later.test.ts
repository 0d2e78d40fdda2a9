import { expect, it } from 'vitest';
import type { RecordAudit } from '../../src/audit/audit-trail.ts';
import type { AccountRevocation } from '../../src/revocation/account-record.ts';
import { recordAccountLater } from '../../src/revocation/record-account-later.ts';
import { role } from './account-parts.ts';
import { ALICE } from './records.ts';

const REVOKED_ON = new Date('2026-03-02T10:00:00.000Z');
const after = (seconds: number) => new Date(REVOKED_ON.getTime() + seconds * 1_000);

it.each([
  ['while its own process may record it', 274, 0],
  ['once that is over', 275, 1],
  ['for an hour', 3_600, 1],
  ['no longer, when it was looked at long before', 3_601, 0],
])('a revocation is recorded by a look %s', async (_, seconds, times) => {
  const asked: { readonly id: string | undefined; readonly since: Date | undefined }[] = [];
  const audit: RecordAudit = async ({ id }, _waitMs, since) => {
    asked.push({ id, since });
    return { written: { file: 'f', seq: 1, hash: 'h' } };
  };
  const open: AccountRevocation = {
    id: 'f00d',
    revokedOn: REVOKED_ON,
    revokedBy: ALICE,
    part: 'identity',
    took: [role(1)],
  };
  await recordAccountLater({ id: '/a/st' }, [open], 'ref', { audit, now: () => after(seconds) });
  // Under its own id, and looked for from before it began: once, whoever records it.
  const entry = { id: `account.revoke/f00d/${ALICE}`, since: after(-3_600) };
  expect(asked).toEqual(Array.from({ length: times }, () => entry));
});
