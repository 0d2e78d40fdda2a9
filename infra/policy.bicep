// Optional: assigns the built-in policies that watch what the app relies on, as audits: they report, and block nothing.
//
//   az deployment sub create -l <region> -f infra/policy.bicep
//
// The policies about expiry and validity of keys can be set to Deny elsewhere; then Key Vault refuses a rotation whose
// new version does not comply, the app's rotations included.

targetScope = 'subscription'

@description('Days after which a key has to be rotated. Storage wants a new version at least every two years.')
@minValue(1)
param maximumDaysToRotate int = 730

@description('Audit reports; Disabled leaves the assignments there without effect.')
@allowed(['Audit', 'Disabled'])
param effect string = 'Audit'

@description('Scopes that are left out: ids of resource groups or resources.')
param notScopes string[] = []

type parameterValues = {
  *: {
    value: int
  }
}

type audit = {
  name: string
  displayName: string
  policyId: string
  parameters: parameterValues
}

var audits audit[] = [
  {
    name: 'cmk-storage'
    displayName: 'Storage accounts should use a customer-managed key'
    policyId: '6fac406b-40ca-413b-bf8e-0bf964659c25'
    parameters: {}
  }
  {
    name: 'cmk-encryption-scopes'
    displayName: 'Encryption scopes should use a customer-managed key'
    policyId: 'b5ec538c-daa0-4006-8596-35468b9148e8'
    parameters: {}
  }
  {
    name: 'cmk-purge-protection'
    displayName: 'Key vaults should have deletion protection'
    policyId: '0b60c0b2-2dc2-4e1c-b5c9-abbed971de53'
    parameters: {}
  }
  {
    name: 'cmk-soft-delete'
    displayName: 'Key vaults should have soft delete'
    policyId: '1e66c121-a66a-4b1f-9b83-0fd99bf0fc2d'
    parameters: {}
  }
  {
    name: 'cmk-hsm-purge-protection'
    displayName: 'Managed HSMs should have purge protection'
    policyId: 'c39ba22d-4428-4149-b981-70acb31fc383'
    parameters: {}
  }
  {
    name: 'cmk-vault-rbac'
    displayName: 'Key vaults should use Azure RBAC'
    policyId: '12d4fa5e-1f9f-4c21-97a9-b99b3c6611b5'
    parameters: {}
  }
  {
    name: 'cmk-rotation-policy'
    displayName: 'Keys should have a rotation policy'
    policyId: 'd8cf8476-a2ec-4916-896e-992351803c44'
    parameters: {
      maximumDaysToRotate: {
        value: maximumDaysToRotate
      }
    }
  }
  {
    name: 'cmk-key-expiry'
    displayName: 'Keys should have an expiration date'
    policyId: '152b15f7-8e1f-4c1f-ab71-8c010ba5dbc0'
    parameters: {}
  }
]

resource assignments 'Microsoft.Authorization/policyAssignments@2024-04-01' = [
  for item in audits: {
    name: item.name
    properties: {
      displayName: 'CMK Autopilot: ${item.displayName}'
      policyDefinitionId: tenantResourceId('Microsoft.Authorization/policyDefinitions', item.policyId)
      enforcementMode: 'Default'
      notScopes: notScopes
      parameters: union(item.parameters, {
        effect: {
          value: effect
        }
      })
    }
  }
]
