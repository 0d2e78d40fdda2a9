// The app's rights in one resource group, where the storage accounts are to be written only there.

param principalId string
@description('Roles to assign to the app on this resource group: ids of role definitions.')
param roleDefinitionIds string[]

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
