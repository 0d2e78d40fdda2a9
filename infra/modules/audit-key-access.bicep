// The app's right to sign with the key that bears witness to the audit trail: on that key alone, in a vault of another team.

import { nameOf } from '../names.bicep'

@description('Resource id of the key: …/vaults/…/keys/…')
param keyId string
param principalId string
param roleDefinitionId string

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: split(keyId, '/')[8]
}

resource key 'Microsoft.KeyVault/vaults/keys@2026-02-01' existing = {
  parent: vault
  name: nameOf(keyId)
}

resource signer 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: key
  name: guid(key.id, principalId, roleDefinitionId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: roleDefinitionId
    description: 'CMK Autopilot: sign where the audit trail ends.'
  }
}
