import { expect, it } from 'vitest';
import { addIdentity } from '../../../local/azure/fleet.ts';
import { findIdentity } from '../../../src/cli/procedures/resolve.ts';
import { unique, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();

// Names of accounts and vaults are unique in all Azure; identities have theirs in a resource group.
it('an ambiguous name is rejected with the ARM ids to choose from, and an id or a resource group resolves it', async () => {
  const name = unique('id-');
  const groups = [procedures.group(), procedures.group()];
  const [first, second] = groups.map((group) => addIdentity(procedures.world, group, name));
  if (!first || !second) throw new Error('Two were made.');

  const azure = procedures.azure();
  const refusal = await procedures.refusal(() => findIdentity(name, azure));

  expect(refusal).toMatchObject({
    reason: 'NotUnique',
    message: `There are 2 resources of the type Microsoft.ManagedIdentity/userAssignedIdentities named ${name}.`,
  });

  for (const { id } of [first, second]) expect(refusal.nextStep.toLowerCase()).toContain(id.toLowerCase());

  expect(await findIdentity(second.id, azure)).toMatchObject({ principalId: second.principalId });

  const inFirst = await findIdentity(name, azure, { resourceGroup: groups[0]?.name.toUpperCase() });
  expect(inFirst).toMatchObject({ principalId: first.principalId });
});
