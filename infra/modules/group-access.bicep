// The app's rights in one resource group, where the storage accounts are to be written only there.

import { listBlobsAlone } from '../names.bicep'

param principalId string
@description('Roles to assign to the app on this resource group: ids of role definitions.')
param roleDefinitionIds string[]
@description('Role to list blobs, and to read none; empty: the app has no need of it.')
param blobListerId string = ''

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for roleDefinitionId in roleDefinitionIds: {
    name: guid(resourceGroup().id, principalId, roleDefinitionId)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: roleDefinitionId
      description: 'CMK Autopilot'
    }
  }
]

resource blobLister 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(blobListerId)) {
  name: guid(resourceGroup().id, principalId, blobListerId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: blobListerId
    description: 'CMK Autopilot'
    conditionVersion: '2.0'
    condition: listBlobsAlone
  }
}
