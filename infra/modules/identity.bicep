// The two identities: one that the app runs as, one that Event Grid uses to put aside what it could not deliver.
// Separate, because Event Grid needs one container and the app needs keys.

import { tagSet } from '../names.bicep'

param location string
param tags tagSet
param name string
param eventsName string

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

resource events 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: eventsName
  location: location
  tags: tags
}

output id string = app.id
output principalId string = app.properties.principalId
output clientId string = app.properties.clientId
output eventsId string = events.id
output eventsPrincipalId string = events.properties.principalId
