// The app's sight of one Managed HSM. Rights on the keys of a Managed HSM are given by its own access
// control, which a template cannot reach (docs/how-to/managed-hsm.md).

import { nameOf } from '../names.bicep'

param hsmId string
param principalId string
param roleDefinitionId string

resource hsm 'Microsoft.KeyVault/managedHSMs@2026-02-01' existing = {
  name: nameOf(hsmId)
}

resource operator 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hsm
  name: guid(hsm.id, principalId, roleDefinitionId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: roleDefinitionId
    description: 'CMK Autopilot: see the state of the Managed HSM.'
  }
}
