import { expect, it } from 'vitest';
import { checkKeyAgain } from '../../src/drift/changes/change-rows.ts';
import { checkChanges } from '../../src/drift/changes/check-changes.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { restoreKey } from '../../src/revocation/restore-key.ts';
import { openRevocation } from '../../src/revocation/revocation.ts';
import { revokeKey } from '../../src/revocation/revoke.ts';
import { TestKey } from '../support/fleet.ts';
import { REVOKER } from '../support/keys.ts';
import { useWire } from '../support/wire.ts';
import { reconcileAll } from '../support/work-items.ts';

const wire = useWire();

it('a key that is revoked or restored is checked at once, with its accounts, and no other key', async () => {
  const services = wire.services({ CMK_AUTOFIX: 'none' });
  const key = new TestKey(wire.azure.world);
  const other = new TestKey(wire.azure.world);
  const { id: account } = key.account('pinned');
  const managed = services.settings.vaults.key(key.id());
  const otherManaged = services.settings.vaults.key(other.id());
  if (!managed || !otherManaged) throw new Error('The vault is not managed.');

  await runDriftCheck({ id: 'first', by: 'timer' }, services, wire.log);
  await reconcileAll(services, wire.log);

  const found = async () => {
    const cause = { by: 'revoke', ref: '', since: '' };
    await checkKeyAgain(key.id(), cause, services);
    await checkChanges(services, wire.log);
    const report = await services.driftStorage.newest();
    const ofRevocation = report?.findings.filter(({ cause: { reason } }) => reason === 'RevocationOpen') ?? [];
    return ofRevocation.map(({ reason, resource }) => `${reason} ${resource}`).sort();
  };

  await revokeKey(otherManaged, REVOKER, services);
  await revokeKey(managed, REVOKER, services);

  expect(await found()).toEqual([`KeyDisabled ${account}`, `RevocationOpen ${key.id()}`]);

  const revocation = openRevocation(await services.keys.listVersions(managed), services.now());
  if (!revocation) throw new Error('The key is not revoked.');

  await restoreKey(managed, { revocation: revocation.id, restoredBy: REVOKER.revokedBy, dualControl: false }, services);

  expect(await found()).toEqual([]);
  expect((await services.driftStorage.newest())?.changes).toEqual([]);
});
