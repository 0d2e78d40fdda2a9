// The workbook: fleet, rotations from the event to the last account, drift, break-glass.

import { tagSet } from '../names.bicep'

param location string
param tags tagSet
param environmentName string
param workspaceId string
param vaultUris string[]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, environmentName, 'cmk-autopilot-workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'CMK Autopilot (${environmentName})'
    category: 'workbook'
    version: 'Notebook/1.0'
    sourceId: workspaceId
    serializedData: replace(
      replace(loadTextContent('../workbook.json'), '__WORKSPACE_ID__', workspaceId),
      '__VAULT_URIS__',
      join(map(vaultUris, uri => '\'${uri}\''), ', ')
    )
  }
}

output id string = workbook.id
