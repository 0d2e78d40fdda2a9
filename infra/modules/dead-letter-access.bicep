// Lets a system topic put aside events that it could not deliver: in that container of the app's storage alone.

import { containerNames } from '../names.bicep'

param storageName string
@description('Principal of the topic\'s own identity.')
param principalId string

// Storage Blob Data Contributor, which Event Grid asks for to write dead letters.
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource container 'containers' existing = {
      name: containerNames.deadLetter
    }
  }
}

resource writer 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account::blobs::container
  name: guid(account::blobs::container.id, principalId, blobDataContributor)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
    description: 'CMK Autopilot: events that could not be delivered.'
  }
}
