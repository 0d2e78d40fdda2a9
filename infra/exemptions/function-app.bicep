// The exemption to ask for where a policy denies function apps with a public address (969ac98b-88a8-449f-883c-2e9adb123127):
//
//   az group create -n rg-cmk-<environment> -l <region>
//   az deployment group create -g rg-cmk-<environment> -f infra/exemptions/function-app.bicep -p assignmentId=<id>
//
// Before the app is deployed, by those who may write exemptions at the assignment and at the group (docs/how-to/landing-zone.md).

@description('Id of the policy assignment that denies: the refusal names it.')
param assignmentId string

@description('Where the assignment is of an initiative: which of its definitions, by their reference ids.')
param referenceIds string[] = ['FunctionDenyPublicIP']

@description('When the exemption ends, as 2027-12-31T00:00:00Z; empty for never.')
param expiresOn string = ''

resource exemption 'Microsoft.Authorization/policyExemptions@2022-07-01-preview' = {
  name: 'cmk-autopilot-function-app'
  properties: {
    policyAssignmentId: assignmentId
    policyDefinitionReferenceIds: referenceIds
    exemptionCategory: 'Mitigated'
    displayName: 'CMK Autopilot: Event Grid delivers to the address of the function app'
    description: 'Event Grid has no private way to a function: it delivers events of Key Vault to the public address. CMK_ALLOWED_CALLERS closes that address to all but the service tag AzureEventGrid and named ranges, and each call needs a token, or the key that Event Grid has.'
    expiresOn: empty(expiresOn) ? null : expiresOn
  }
}
