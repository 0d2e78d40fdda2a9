// The app's rights to name its own functions, and its storage for dead letters, in an event subscription.

import { nameOf } from '../names.bicep'

param functionAppId string
param storageName string
param principalId string
@description('Whether there is a role for dead letters.')
param deadLetters bool

resource app 'Microsoft.Web/sites@2024-04-01' existing = {
  name: nameOf(functionAppId)
}

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

var destinationWriter = guid(subscription().id, functionAppId, 'destination-writer')
var deadLetterWriter = guid(subscription().id, functionAppId, 'dead-letter-writer')

resource destination 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: app
  name: guid(app.id, principalId, destinationWriter)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', destinationWriter)
  }
}

resource deadLetter 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (deadLetters) {
  scope: account
  name: guid(account.id, principalId, deadLetterWriter)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', deadLetterWriter)
  }
}
