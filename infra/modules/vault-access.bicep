// The app's rights on one managed vault.

import { nameOf } from '../names.bicep'

param vaultId string
param principalId string
param roleDefinitionId string

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: nameOf(vaultId)
}

resource operator 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, principalId, roleDefinitionId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: roleDefinitionId
    description: 'CMK Autopilot: rotate keys, enable and disable their versions.'
  }
}
