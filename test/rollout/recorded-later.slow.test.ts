import { expect, it } from 'vitest';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { orderPause, orderResume } from '../../src/rollout/order-pause.ts';
import { recordFoundOrders } from '../../src/rollout/record-orders.ts';
import { auditEntries } from '../support/audit-lines.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

it('what whoever paused and resumed could not record, a drift check records, once beside whichever instances come', async () => {
  const services = wire.services({ CMK_AUTOFIX: 'none' });
  const killed = {
    ...services,
    audit: async () => ({ failed: 'It was ended before that.' }),
    now: () => new Date(services.now().getTime() - 120_000),
  };
  const order = (correlationId: string) => ({
    ...{ caller: { objectId: 'alice', appId: 'az', kind: 'person' } as const, correlationId },
    reason: 'Migration',
  });
  const { pauses } = await orderPause(order('call-1'), killed, () => {});
  expect(await orderResume(order('call-2'), killed, () => {})).toMatchObject({ pauses: [], ended: pauses });
  const waiting = async () => (await services.controlStore.read()).unrecorded.map(({ correlationId }) => correlationId);
  expect(await waiting()).toEqual(['call-1', 'call-2']);

  const look = () => recordFoundOrders(wire.services(), wire.log);
  await Promise.all([runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log), look(), look()]);
  expect(await waiting()).toEqual([]);
  expect(await look()).toEqual([]);

  const found = (await auditEntries(wire.connectionString)).filter(({ id }) => id?.startsWith('fleet.control/'));
  const ended = pauses.map(({ id }) => id);
  expect(found).toMatchObject([
    { action: 'fleet.pause', correlationId: 'call-1', details: { why: 'Migration', foundIn: 'cmk-control' } },
    { action: 'fleet.resume', correlationId: 'call-2', details: { ended, foundIn: 'cmk-control' } },
  ]);
});

it('a drift check says what it has recorded, and goes on where the trail is down', async () => {
  const services = wire.services({ CMK_AUTOFIX: 'none' });
  const down = { ...services, audit: async () => ({ failed: 'The trail is down.' }) };
  const before = { ...down, now: () => new Date(services.now().getTime() - 120_000) };
  const caller = { objectId: 'alice', appId: 'az', kind: 'person' } as const;
  await orderResume({ caller, correlationId: 'call-3', reason: 'Over' }, before, () => {});
  const check = async (of: typeof services): Promise<unknown[]> => {
    wire.records.length = 0;
    await runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, of, wire.log);
    return wire.records.filter(({ message, orders }) => orders || /pauses and resumes/.test(message));
  };
  expect(await check(down)).toMatchObject([
    { reason: 'DriftFixFailed', message: expect.stringMatching(/The trail is down\.$/) },
  ]);
  expect(await check(services)).toMatchObject([{ reason: 'DriftFixed', orders: [expect.any(String)] }]);
  expect(await check(services)).toEqual([]);
});
