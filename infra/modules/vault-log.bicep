// Where a managed vault is, and its audit log: Key Vault has no event for disabling a key, so its log is the only trace of one
// disabled by hand.

import { nameOf } from '../names.bicep'

param vaultId string
@description('Workspace for the vault\'s audit log; empty leaves the vault\'s diagnostic settings alone.')
param workspaceId string
param environmentName string

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: nameOf(vaultId)
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  scope: vault
  name: 'cmk-autopilot-${environmentName}'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

output location string = vault.location
