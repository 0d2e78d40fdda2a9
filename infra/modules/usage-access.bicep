// The app's right to ask who used a key, on the workspace that the audit logs of the vaults go to.

import { nameOf } from '../names.bicep'

@description('Resource id of the workspace, in this resource group.')
param workspaceId string
param principalId string
param roleDefinitionId string

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: nameOf(workspaceId)
}

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: workspace
  name: guid(workspace.id, principalId, roleDefinitionId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: roleDefinitionId
    description: 'CMK Autopilot: who used a key, by the audit logs of the vaults.'
  }
}
