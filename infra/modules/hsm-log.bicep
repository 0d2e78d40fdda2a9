// The audit log of one Managed HSM.

import { nameOf } from '../names.bicep'

param hsmId string
param workspaceId string
param environmentName string

resource hsm 'Microsoft.KeyVault/managedHSMs@2026-02-01' existing = {
  name: nameOf(hsmId)
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: hsm
  name: 'cmk-autopilot-${environmentName}'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}
