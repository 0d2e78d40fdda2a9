import fc from 'fast-check';
import { beforeAll, describe, it } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { addRoleAssignment } from '../../local/azure/fleet.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import { vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { History, histories } from './revocation-histories.ts';
import { WireVault } from './wire-vault.ts';

const wire = useWire();

beforeAll(() => {
  const { world } = wire.azure;
  const principalId = world.principals.get(CLIENT_IDS.appUserAssigned)?.objectId ?? '';
  const scope = vaultNamed(world, 'kv-files').id;
  // A deployment gives the app the right to recover keys; the sample fleet does not.
  addRoleAssignment(world, { scope, principalId, role: BUILT_IN_ROLES['Key Vault Crypto Officer'], settled: true });
});

describe('a revocation, by the SDK over the wire', () => {
  it('is sticky, and its restore is exact, after every step of 30 random histories', async () => {
    await fc.assert(
      fc.asyncProperty(
        histories(12),
        fc.record({ dualControl: fc.boolean(), skewMs: fc.constantFrom(0, 90_000), copiesTags: fc.boolean() }),
        async (steps, { copiesTags, ...options }) => {
          wire.azure.world.settings.rotateCopiesTags = copiesTags;
          await new History(new WireVault(wire), options).run(steps);
        },
      ),
      { numRuns: 30, endOnFailure: true },
    );
  });
});
