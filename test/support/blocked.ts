/** An account that nothing may be written to. */
export const ACCOUNT = '/subscriptions/s/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/stfiles01';

const AUTHORIZATION = '/subscriptions/s/providers/Microsoft.Authorization';

/** What Azure Resource Manager answers where a policy with the effect Deny forbids a write. */
export const POLICY_DENIAL = {
  status: 403,
  body: {
    error: {
      code: 'RequestDisallowedByPolicy',
      target: 'stfiles01',
      message: `Resource 'stfiles01' was disallowed by policy. Policy identifiers: '${JSON.stringify([
        {
          policyAssignment: { name: 'Freeze', id: `${AUTHORIZATION}/policyAssignments/freeze` },
          policyDefinition: {
            name: 'Storage accounts must not change keys',
            id: `${AUTHORIZATION}/policyDefinitions/no-key-change`,
          },
        },
      ])}'.`,
      additionalInfo: [
        {
          type: 'PolicyViolation',
          info: {
            policyDefinitionDisplayName: 'Storage accounts must not change keys',
            policyDefinitionId: `${AUTHORIZATION}/policyDefinitions/no-key-change`,
            policyDefinitionName: 'no-key-change',
            policyDefinitionEffect: 'Deny',
            policyAssignmentId: `${AUTHORIZATION}/policyAssignments/freeze`,
            policyAssignmentName: 'freeze',
            policyAssignmentDisplayName: 'Freeze',
            policyAssignmentScope: '/subscriptions/s',
          },
        },
      ],
    },
  },
} as const;

/** What it answers where a lock of the level ReadOnly forbids a write. */
export const SCOPE_LOCKED = {
  status: 409,
  body: {
    error: {
      code: 'ScopeLocked',
      message: `The scope '${ACCOUNT}' cannot perform write operation because following scope(s) are locked: '${ACCOUNT}'. Please remove the lock and try again.`,
    },
  },
} as const;
