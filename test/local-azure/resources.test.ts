import { describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addPrincipal, addRoleAssignment } from '../../local/azure/fleet.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import { useLocalAzure } from '../support/local-azure.ts';
import { arm } from './support.ts';

const local = useLocalAzure({ fleet: 'sample' });
const list = `/subscriptions/${SUBSCRIPTION_ID}/resources?api-version=2021-04-01&$filter=`;

describe('the generic list of resources', () => {
  it('shows whoever has a right on some resources those, instead of refusing', async () => {
    const reader = addPrincipal(local.azure.world, { displayName: 'reader' });
    const scope = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-archive`;
    addRoleAssignment(local.azure.world, {
      scope,
      principalId: reader.objectId,
      role: BUILT_IN_ROLES.Reader,
      settled: true,
    });
    const filter = "resourceType eq 'Microsoft.Storage/storageAccounts'";
    const { status, body } = await arm(local.azure, 'GET', `${list}${filter}`, { as: reader });
    expect(status).toBe(200);
    expect(body.value?.map(({ name }) => name)).toEqual(['starchive01', 'starchive02']);
  });
});
