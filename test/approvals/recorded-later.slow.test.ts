import { expect, it } from 'vitest';
import { askForApproval } from '../../src/approvals/approvals.ts';
import { recordDeeds } from '../../src/approvals/record-deeds.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { auditEntries } from '../support/audit-lines.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

it('what whoever asked could not record is found by a drift check, and recorded once by whichever instances come', async () => {
  const services = wire.services({ CMK_AUTOFIX: 'none' });
  const killed = {
    ...services,
    audit: async () => ({ failed: 'It was ended before that.' }),
    queue: { send: () => Promise.reject(new Error('no queue')) },
  };
  const what = { action: 'pause', vault: undefined, key: undefined, reason: 'Migration', ticket: undefined } as const;
  const call = { caller: { objectId: 'alice', appId: 'az', kind: 'person' }, correlationId: 'call-1' } as const;
  const { id } = await askForApproval({ ...what, until: undefined }, 1, call, killed, () => {});

  await runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log);
  const found = wire.sent.flatMap(({ work }) => (work.kind === 'approval' ? work : []));
  expect(found).toMatchObject([{ approval: id }]);
  const work = found[0] ?? expect.unreachable();
  const look = () => recordDeeds(work, wire.services(), wire.log);
  const looks = await Promise.all([look(), look(), look()]);
  expect(looks.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done']);
  expect((await look()).outcome).toBe('done');

  const entries = (await auditEntries(wire.connectionString)).filter(({ action }) => action === 'approval.ask');
  expect(entries).toMatchObject([
    { reason: 'ApprovalAsked', caller: call.caller, correlationId: 'call-1', details: { approval: id } },
  ]);
  expect(await services.approvals.unrecorded()).toEqual([]);
});
