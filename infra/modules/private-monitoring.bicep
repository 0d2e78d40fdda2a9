// Telemetry by a private link (Azure Monitor Private Link Scope): what the app and its host send does not leave the network.

import { tagSet } from '../names.bicep'

param location string
param tags tagSet
@description('Name of the network, part of the names here.')
param name string
@description('Ids of the workspace and of Application Insights.')
param resourceIds string[]
param subnetId string
param networkId string
@description('Makes the private DNS zones, but for that of blobs, which the network has.')
param privateDnsZones bool

// The names that Azure Monitor has in each cloud (Azure Monitor, "Configure your private link"). Solutions and agents are
// reached by the zone of blobs too.
var domains = {
  AzureCloud: {
    monitor: 'privatelink.monitor.azure.com'
    oms: 'privatelink.oms.opinsights.azure.com'
    ods: 'privatelink.ods.opinsights.azure.com'
    agents: 'privatelink.agentsvc.azure-automation.net'
  }
  AzureUSGovernment: {
    monitor: 'privatelink.monitor.azure.us'
    oms: 'privatelink.oms.opinsights.azure.us'
    ods: 'privatelink.ods.opinsights.azure.us'
    agents: 'privatelink.agentsvc.azure-automation.us'
  }
}
var blobZone = 'privatelink.blob.${environment().suffixes.storage}'
var zoneNames = contains(domains, environment().name)
  ? map(items(domains[environment().name]), one => one.value)
  : fail('privateMonitoring (CMK_PRIVATE_MONITORING, the bank profile): the names of Azure Monitor Private Link in ${environment().name} are not known here. Set it to false, and keep telemetry in by other means.')

resource scope 'microsoft.insights/privateLinkScopes@2021-07-01-preview' = {
  name: 'ampls-${name}'
  location: 'global'
  tags: tags
  properties: {
    accessModeSettings: {
      // Queries stay open: alerts, workbook and operators sign in, from wherever they are.
      ingestionAccessMode: 'PrivateOnly'
      queryAccessMode: 'Open'
    }
  }
}

resource scoped 'microsoft.insights/privateLinkScopes/scopedResources@2021-07-01-preview' = [
  for id in resourceIds: {
    parent: scope
    name: last(split(id, '/'))
    properties: {
      linkedResourceId: id
    }
  }
]

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in privateDnsZones ? zoneNames : []: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, index) in privateDnsZones ? zoneNames : []: {
    parent: zones[index]
    name: 'app'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: networkId
      }
    }
  }
]

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = {
  name: 'pe-${name}-azuremonitor'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: 'azuremonitor'
        properties: {
          privateLinkServiceId: scope.id
          groupIds: ['azuremonitor']
        }
      }
    ]
  }
  dependsOn: [
    scoped
  ]
}

resource zoneGroup 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = if (privateDnsZones) {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: map(concat(zoneNames, [blobZone]), zone => {
      name: replace(zone, '.', '-')
      properties: {
        privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', zone)
      }
    })
  }
  dependsOn: [
    links
  ]
}
