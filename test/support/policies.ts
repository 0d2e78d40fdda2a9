import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';

const PROVIDER = 'providers/Microsoft.Authorization';

type Arm = (method: 'PUT' | 'DELETE', path: string, body?: object) => Promise<unknown>;

/** ARM id of the assignment of that name. */
export function assignmentAt(scope: string, name = 'secure-transfer'): string {
  return `${scope}/${PROVIDER}/policyAssignments/${name}`;
}

/**
 * Assigns a policy that denies storage accounts without secure transfer, with the rule of the built-in one (404c3081).
 *
 * @param subscription where it is defined
 * @returns ARM id of the assignment
 */
export async function denyInsecureTransfer(
  arm: Arm,
  scope: string,
  properties: object = {},
  subscription = `/subscriptions/${SUBSCRIPTION_ID}`,
): Promise<string> {
  const id = assignmentAt(scope);
  const definition = `${subscription}/${PROVIDER}/policyDefinitions/secure-transfer`;
  const field = 'Microsoft.Storage/storageAccounts/supportsHttpsTrafficOnly';
  const policyRule = {
    if: {
      allOf: [{ field: 'type', equals: 'Microsoft.Storage/storageAccounts' }, { not: { field, equals: 'true' } }],
    },
    // biome-ignore lint/suspicious/noThenProperty: the name in a policy rule
    then: { effect: "[parameters('effect')]" },
  };
  const parameters = { effect: { type: 'String', defaultValue: 'Audit' } };

  await arm('PUT', definition, { properties: { displayName: 'Secure transfer', parameters, policyRule } });
  await arm('PUT', id, {
    properties: {
      displayName: 'Storage baseline',
      policyDefinitionId: definition,
      parameters: { effect: { value: 'Deny' } },
      ...properties,
    },
  });

  return id;
}
