// Private networking, by parameter: the app calls out through a network of its own, and reaches its storage by private
// endpoints. Azure Resource Manager and Entra ID have no private endpoint that would help here: they are called over
// TLS through the network's way out.

import { tagSet } from '../names.bicep'

param location string
param tags tagSet
param name string
param addressPrefix string
param appSubnetPrefix string
param endpointSubnetPrefix string
@description('Existing subnet for outgoing calls, delegated to Microsoft.App/environments; empty to make a network.')
param existingAppSubnetId string
@description('Existing subnet for private endpoints; goes with the one above.')
param existingEndpointSubnetId string
@description('Network security group of the subnets that are made; empty for none.')
param networkSecurityGroupId string
@description('Makes the private DNS zones and links them to the network. Off where they are kept centrally, by policy.')
param privateDnsZones bool
@description('Storage accounts of the app, and which services of each are called.')
param storages { id: string, services: ('blob' | 'queue' | 'table')[] }[]
@description('Gives the network that is made one address to go out by.')
param natGateway bool
@description('Address of a firewall that everything goes out through; empty for none.')
param egressFirewallAddress string
@description('Workspace and Application Insights that telemetry reaches by a private link; empty for none.')
param monitored string[]
@description('Managed vaults to reach by private endpoint as well.')
param vaultIds string[]

var makeNetwork = empty(existingAppSubnetId)
var securityGroup = empty(networkSecurityGroupId) ? null : { id: networkSecurityGroupId }

resource address 'Microsoft.Network/publicIPAddresses@2024-05-01' = if (makeNetwork && natGateway) {
  name: 'pip-${name}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource gateway 'Microsoft.Network/natGateways@2024-05-01' = if (makeNetwork && natGateway) {
  name: 'ng-${name}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIpAddresses: [
      {
        id: address.id
      }
    ]
  }
}

resource routes 'Microsoft.Network/routeTables@2024-05-01' = if (makeNetwork && !empty(egressFirewallAddress)) {
  name: 'rt-${name}'
  location: location
  tags: tags
  properties: {
    disableBgpRoutePropagation: true
    routes: [
      {
        name: 'out'
        properties: {
          addressPrefix: '0.0.0.0/0'
          nextHopType: 'VirtualAppliance'
          nextHopIpAddress: egressFirewallAddress
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = if (makeNetwork) {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [addressPrefix]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: appSubnetPrefix
          networkSecurityGroup: securityGroup
          natGateway: natGateway ? { id: gateway.id } : null
          routeTable: empty(egressFirewallAddress) ? null : { id: routes.id }
          delegations: [
            {
              name: 'flex'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpointSubnetPrefix
          networkSecurityGroup: securityGroup
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

var appSubnet = makeNetwork ? resourceId('Microsoft.Network/virtualNetworks/subnets', name, 'app') : existingAppSubnetId
var endpointSubnet = makeNetwork
  ? resourceId('Microsoft.Network/virtualNetworks/subnets', name, 'endpoints')
  : existingEndpointSubnetId
// A subnet's id is that of its network and /subnets/<name>.
var networkId = join(take(split(endpointSubnet, '/'), 9), '/')

var vaultZone = {
  AzureCloud: 'privatelink.vaultcore.azure.net'
  AzureUSGovernment: 'privatelink.vaultcore.usgovcloudapi.net'
  AzureChinaCloud: 'privatelink.vaultcore.azure.cn'
}

var storageEndpoints = flatten(map(
  storages,
  storage =>
    map(storage.services, service => {
      service: service
      zone: 'privatelink.${service}.${environment().suffixes.storage}'
      target: storage.id
    })
))
var vaultEndpoints = map(vaultIds, id => {
  service: 'vault'
  zone: vaultZone[environment().name]
  target: id
})
var endpoints = concat(storageEndpoints, vaultEndpoints)
var zoneNames = privateDnsZones ? union(map(endpoints, endpoint => endpoint.zone), []) : []

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zoneNames: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, index) in zoneNames: {
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
    dependsOn: [
      network
    ]
  }
]

resource privateEndpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [
  for endpoint in endpoints: {
    name: 'pe-${last(split(endpoint.target, '/'))}-${endpoint.service}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: endpointSubnet
      }
      privateLinkServiceConnections: [
        {
          name: endpoint.service
          properties: {
            privateLinkServiceId: endpoint.target
            groupIds: [endpoint.service]
          }
        }
      ]
    }
    dependsOn: [
      network
    ]
  }
]

resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [
  for (endpoint, index) in privateDnsZones ? endpoints : []: {
    parent: privateEndpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: endpoint.service
          properties: {
            privateDnsZoneId: zones[indexOf(zoneNames, endpoint.zone)].id
          }
        }
      ]
    }
    dependsOn: [
      links
    ]
  }
]

module monitoring 'private-monitoring.bicep' = if (!empty(monitored)) {
  name: take('cmk-ampls-${name}', 64)
  params: {
    location: location
    tags: tags
    name: name
    resourceIds: monitored
    subnetId: endpointSubnet
    networkId: networkId
    privateDnsZones: privateDnsZones
  }
  dependsOn: [
    network
    zones
  ]
}

output appSubnetId string = appSubnet
