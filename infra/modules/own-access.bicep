// The app's rights on what is deployed beside it: its storage, and Application Insights.

import { containerNames, hostContainerNames } from '../names.bicep'

@description('Account of the control zone.')
param storageName string
@description('Account of the work zone.')
param workStorageName string
@description('Account of the audit trail; empty: it is in the control zone.')
param auditStorageName string
param insightsName string
param appPrincipalId string
@description('Gives the app and its host their rights on blobs container by container, and not on the account.')
param hostStorageByContainer bool

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName

  resource blobs 'blobServices' existing = {
    name: 'default'
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

// Monitoring Metrics Publisher: sends telemetry, reads none.
var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource publisher 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, appPrincipalId, monitoringMetricsPublisher)
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringMetricsPublisher)
  }
}

// What the Functions documentation names for the host: Storage Blob Data Owner and, for its diagnostic events, Storage Table
// Data Contributor. Queues of the host's storage are for blob triggers, of which there are none. The host lists the containers
// of the account (github.com/Azure/azure-functions-host/issues/11938), so they are given on the account.
var blobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var tableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
// What the app's own data needs: it appends to the audit trail, writes reports, holds leases, and fetches its package.
var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource accountRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in concat(hostStorageByContainer ? [] : [blobDataOwner], [tableDataContributor]): {
    scope: account
    name: guid(account.id, appPrincipalId, role)
    properties: {
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

// The work zone holds nothing but the app's queues, its index and its leases.
resource work 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: workStorageName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource leases 'containers' existing = {
      name: containerNames.leases
    }
  }
}

resource workRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in [queueDataContributor, tableDataContributor]: {
    scope: work
    name: guid(work.id, appPrincipalId, role)
    properties: {
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource leaseRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: work::blobs::leases
  name: guid(work.id, containerNames.leases, appPrincipalId, blobDataContributor)
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
  }
}

var hasAuditStorage = !empty(auditStorageName)

resource audit 'Microsoft.Storage/storageAccounts@2024-01-01' existing = if (hasAuditStorage) {
  name: hasAuditStorage ? auditStorageName : storageName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource trail 'containers' existing = {
      name: containerNames.audit
    }
  }
}

resource trailRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasAuditStorage) {
  scope: audit::blobs::trail
  name: guid(audit.id, containerNames.audit, appPrincipalId, blobDataContributor)
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
  }
}

// By container, where Storage Blob Data Owner on the account is too much: it may do everything to a blob, and change an
// immutability policy that is not locked. The audit trail then has a writer that can do neither.
var controlContainers = filter(
  map(items(containerNames), container => container.value),
  name => name != containerNames.leases && !(hasAuditStorage && name == containerNames.audit)
)
var narrowed = hostStorageByContainer
  ? concat(
      map(hostContainerNames, name => { container: name, role: blobDataOwner }),
      map(controlContainers, name => { container: name, role: blobDataContributor })
    )
  : []

resource narrowedContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = [
  for one in narrowed: {
    parent: account::blobs
    name: one.container
  }
]

resource containerRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (one, index) in narrowed: {
    scope: narrowedContainers[index]
    name: guid(account.id, one.container, appPrincipalId, one.role)
    properties: {
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', one.role)
    }
  }
]
