// The identity that the app runs as. Event Grid writes dead letters as another one, which each system topic has of its own
// (event-topic.bicep).

import { tagSet } from '../names.bicep'

param location string
param tags tagSet
param name string

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

output id string = app.id
output principalId string = app.properties.principalId
output clientId string = app.properties.clientId
