import { expect, it } from 'vitest';
import { addAccount } from '../../local/azure/fleet.ts';
import type { RevokeResponse } from '../../src/api/revoke.ts';
import { handleRevoke } from '../../src/api/revoke.ts';
import type { Services } from '../../src/services.ts';
import { group } from '../support/fleet.ts';
import { callKey, keyStatus } from '../support/key-calls.ts';
import { useWire } from '../support/wire.ts';
import { breakGlass, enabledOf, keyOf, managed } from './break-glass-fixture.ts';

// Guards invariant 11 (no self-lockout). If a key encrypts the app's own storage, the dry run and the status of the key warn
// before a revocation. The revocation itself waits for nothing, and warns in its answer. The drift check reports such a key
// at all times (test/drift).
const wire = useWire();
const OWN = 'stcmkapp';
const LOCKS_OUT = expect.stringContaining("The app's own storage is encrypted with this key");
const MAY_LOCK_OUT = expect.stringContaining('could not read whether its own storage is encrypted with this key');
const services = (): Services => wire.services({ AzureWebJobsStorage: '', AzureWebJobsStorage__accountName: OWN });

it.each([
  ['that is encrypted with the key is reported as locked out', OWN, [LOCKS_OUT], [LOCKS_OUT]],
  ['that does not use the key is not reported', 'stanother', [], []],
  // The status reads the index, which has no row of an account that the app does not see.
  ['that the app does not see is reported as unknown', undefined, [MAY_LOCK_OUT], []],
])("The app's own storage %s, before the key is revoked and after", async (_, name, expected, ofStatus) => {
  const key = keyOf(wire.azure, 2);
  const { world } = wire.azure;
  const account = key.account('pinned', { name: name ?? 'stanother' });

  if (name === 'stanother') addAccount(world, group(world), { name: OWN });

  try {
    const asked = managed(key, services());
    const told = (warnings: readonly string[] = []) => warnings.filter((warning) => /own storage is/.test(warning));
    const query = { dryRun: true };
    const dry = await callKey<RevokeResponse>(handleRevoke, asked, { services: services(), query });

    expect(told(dry.warnings)).toEqual(expected);
    expect(told((await keyStatus(asked, services())).warnings)).toEqual(ofStatus);
    expect(enabledOf(key)).toEqual([true, true]);

    const revoked = await breakGlass(wire).revoke(key, services());
    expect(revoked.complete).toBe(true);
    expect(told(revoked.warnings)).toEqual(expected);
    expect(enabledOf(key)).toEqual([false, false]);
  } finally {
    for (const added of [account.name, OWN]) world.storageAccounts.delete(added);
  }
});
