import { expect, it } from 'vitest';
import type { ChangeRow } from '../../src/drift/changes/change-rows.ts';
import { checkChanges } from '../../src/drift/changes/check-changes.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { HOUR_MS } from '../../src/formats/spans.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { reconcileAll } from '../support/work-items.ts';
import { outsider } from './outsider.ts';

const wire = useWire();
const REASON = 'LaggingAutomaticVersion';

it("the app asks Storage once to refresh an automatic account, and then waits for Storage's hourly check", async () => {
  Object.assign(wire.azure.world.settings, { automaticCheckMs: 1_000 * HOUR_MS, refreshAutomaticOnPatch: false });

  const services = wire.services({ CMK_AUTOFIX: REASON });
  const key = new TestKey(wire.azure.world);
  const { id: account } = key.account('automatic');

  await runDriftCheck({ id: 'first', by: 'timer' }, services, wire.log);
  await reconcileAll(services, wire.log);
  await outsider(wire.azure).keys(key.vault.name).rotateKey(key.name);
  wire.azure.clock.advance(25 * HOUR_MS);

  await services.changes.put([changeOf(account, services.now())]);

  for (let check = 0; check < 4; check += 1) {
    await checkChanges(services, wire.log);
    await reconcileAll(services, wire.log);
    wire.azure.clock.advance(5_000);
  }

  const writes = () => wire.arm(0, new RegExp(`^${account}`, 'i')).filter(({ method }) => method === 'PATCH');
  expect(writes()).toHaveLength(1);
  expect(await services.changes.pending()).toEqual([]);

  await runDriftCheck({ id: 'hourly', by: 'timer' }, services, wire.log);
  await reconcileAll(services, wire.log);

  expect(writes()).toHaveLength(1);

  const finding = (await services.driftStorage.newest())?.findings.find(({ reason }) => reason === REASON);
  expect(finding).toMatchObject({ resource: account, canFix: false });
  expect(finding?.is).toContain('The app asked Storage to check');
});

function changeOf(account: string, now: Date): ChangeRow {
  const on = now.toISOString();
  const changedBy = { on, operation: 'Microsoft.Storage/storageAccounts/write', resource: account, confirmed: true };
  return { id: 'change', concern: 'account', at: account, changedBy, notedOn: on };
}
