import { expect, it } from 'vitest';
import { FleetNotes, reconcileAndNote } from '../../src/accounts/reconcile-and-note.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import { readRotation } from '../../src/rollout/read-rotation.ts';
import { viewRotation } from '../../src/rollout/rotation-view.ts';
import { POLICY_DENIAL } from '../support/blocked.ts';
import { TestKey, vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

/** Has an account moved that Azure does not let be changed, and returns what came of it and what is told of it. */
async function move(block: (account: { readonly id: string; readonly name: string }) => void) {
  const key = new TestKey(wire.azure.world);
  const account = key.account();
  key.add();
  block(account);
  const wired = wire.services();
  const services = { ...wired, fleetNotes: new FleetNotes(wired) };
  const outcome = await reconcileAndNote(key.accountWork(account), services, wire.log);
  const vault = services.settings.vaults.byName(vaultNamed(wire.azure.world, 'kv-files').name);
  if (!vault) throw new Error('kv-files is not managed.');
  const managed = managedKey(vault, key.name);
  const { failedUses } = viewRotation(managed, await readRotation(managed, services), undefined);
  return { account, outcome, failedUses };
}

it('an account that Azure Policy denies to move is told with the policy and its assignment, and tried again', async () => {
  const { error } = POLICY_DENIAL.body;
  // As it is where the assignment has a message of its own.
  const message =
    "Resource 'x' was disallowed by policy. Reasons: 'Frozen.'. See error details for policy resource IDs.";
  const { account, outcome, failedUses } = await move(({ name }) =>
    wire.azure.faults.add([
      {
        match: { method: 'PATCH', path: `/storageAccounts/${name}\\?` },
        answer: { status: 403, body: { error: { ...error, message } } },
      },
    ]),
  );
  const detail = expect.stringMatching(
    /^403 RequestDisallowedByPolicy: Azure Policy denies the request: the policy "Storage accounts must not change keys", assigned as "Freeze" \(.*\)\. .* policy resource IDs\. Change the assignment.*az policy exemption create/,
  );
  expect(outcome).toMatchObject({ outcome: 'retry', reason: 'DeniedByPolicy', counts: true, detail });
  expect(failedUses).toMatchObject([{ account: account.id, reason: 'DeniedByPolicy', detail }]);
  expect(wire.records).toContainEqual(expect.objectContaining({ reason: 'DeniedByPolicy', message: detail }));
});

it('an account that a lock keeps from moving is told with the lock, and tried again', async () => {
  const { world } = wire.azure;
  const { account, outcome, failedUses } = await move(({ id }) => {
    const type = 'Microsoft.Authorization/locks';
    const lock = { id: `${id}/providers/${type}/freeze`, type, scope: id, properties: { level: 'ReadOnly' } };
    world.extensions.set(lock.id.toLowerCase(), lock);
  });
  const detail = expect.stringContaining(`A lock on ${account.id} forbids the change. Remove the lock (az lock list`);
  expect(outcome).toMatchObject({ outcome: 'retry', reason: 'ScopeLocked', counts: true, detail });
  expect(failedUses).toMatchObject([{ account: account.id, reason: 'ScopeLocked', detail }]);
});
