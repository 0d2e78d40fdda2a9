// The app's rights in one subscription whose storage accounts it looks after.

targetScope = 'subscription'

param principalId string
@description('Roles to assign to the app on the whole subscription: ids of role definitions.')
param roleDefinitionIds string[]

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for roleDefinitionId in roleDefinitionIds: {
    name: guid(subscription().id, principalId, roleDefinitionId)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: roleDefinitionId
      description: 'CMK Autopilot'
    }
  }
]
