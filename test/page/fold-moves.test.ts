import { expect, it } from 'vitest';
import type { AuditRecordView } from '../../page/src/api/types.ts';
import { foldMoves } from '../../page/src/views/fold-moves.ts';

let seq = 100;
function record(action: string, details: object): AuditRecordView {
  seq -= 1;
  const entry = { action, reason: 'Moved', resource: `/storageAccounts/st${seq}`, details: { ...details } };
  return { seq, id: `r${seq}`, time: '2026-11-30T00:00:00.000Z', hash: '', intact: true, file: '', entry };
}
const move = (to: string, by: string, ref = '') => record('account.move', { to, cause: { by, ref } });

it('The moves of a rotation are one entry, and later repairs are another', () => {
  const records = [
    move('k/2', 'drift', 'report'),
    move('k/2', 'progress'),
    record('key.revoke', {}),
    move('k/2', 'KeyNewVersionCreated', 'event'),
    move('k/1', 'KeyNewVersionCreated', 'before'),
    move('k/2', 'drift', 'report'),
  ];

  expect(
    foldMoves(records).map((one) => ('records' in one ? [one.to, one.records.map(({ seq: n }) => n)] : one.seq)),
  ).toEqual([['k/2', [99, 94]], ['k/2', [98, 96]], 97, 95]);
});
