// The app's own storage: queues, fleet index, audit trail, drift reports, dead letters, the deployed package, and the host's leases.
// Encrypted with Microsoft-managed keys on purpose: with a key that the app manages, a revocation would lock the app out
// of the queues it needs for the restore.

import { queueNames, containerNames, hostContainerNames, tableNames, tagSet } from '../names.bicep'

param location string
param tags tagSet
param name string
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param sku string
@description('Days for which a record of the audit trail can be neither changed nor deleted.')
param auditRetentionDays int
@description('True once the audit policy was locked: Azure refuses any change to a locked policy but a longer period, so it is left alone.')
param auditPolicyLocked bool
@description('Days after which drift reports and dead letters are deleted.')
param reportRetentionDays int
@description('Whether only private endpoints, and Azure services by their own identity, reach the account.')
param privateOnly bool
param workspaceId string
@description('Logs reads of blobs too, those of the audit trail among them: Azure has no category for one container.')
param logReads bool
@description('Whether the app and its host get their rights on blobs container by container (own-access.bicep).')
param hostStorageByContainer bool

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: {
        blob: {
          enabled: true
          keyType: 'Account'
        }
        queue: {
          enabled: true
          keyType: 'Account'
        }
      }
    }
    // Not 'Disabled' even when private: Event Grid writes dead letters from outside the network, as a trusted service
    // with the topic's own identity, and the bypass holds only while public access is on and denied by default.
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateOnly ? 'Deny' : 'Allow'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 14
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 14
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [
  for container in items(containerNames): {
    parent: blobs
    name: container.value
  }
]

// Records can be added to the day's blob, and nothing that is there can be changed or deleted, by nobody, while the
// period runs. It is left unlocked, because a lock cannot be undone: neither the policy nor the account could be removed
// until the last record's period is over. Unlocked, it holds against the app, and not against who may write the account.
// docs/audit.md says how and when to lock it.
resource auditPolicy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01' = if (!auditPolicyLocked) {
  #disable-next-line use-parent-property // the parent is one of a loop
  name: '${name}/default/${containerNames.audit}/default'
  properties: {
    immutabilityPeriodSinceCreationInDays: auditRetentionDays
    allowProtectedAppendWrites: true
  }
  dependsOn: [
    containers
  ]
}

resource givenPolicy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01' existing = if (auditPolicyLocked) {
  #disable-next-line use-parent-property // the parent is one of a loop
  name: '${name}/default/${containerNames.audit}/default'
}

module lockedPolicy 'locked-policy.bicep' = if (auditPolicyLocked) {
  name: '${name}-locked'
  params: {
    // Any: that it may be another than the module takes is the point.
    auditPolicyState: any(auditPolicyLocked ? givenPolicy!.properties.state : 'Locked')
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'delete-old-reports'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: [containerNames.drift, containerNames.deadLetter]
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: reportRetentionDays
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [
    blobs
  ]
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [
  for queue in queueNames: {
    parent: queueService
    name: queue
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' = [
  for table in tableNames: {
    parent: tableService
    name: table
  }
]

// The host makes them for itself; here, where its rights are given on them.
resource hostContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [
  for name in hostStorageByContainer ? hostContainerNames : []: {
    parent: blobs
    name: name
  }
]

resource blobDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'cmk-autopilot'
  properties: {
    workspaceId: workspaceId
    logs: map(concat(['StorageWrite', 'StorageDelete'], logReads ? ['StorageRead'] : []), category => {
      category: category
      enabled: true
    })
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

resource tableDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: tableService
  name: 'cmk-autopilot'
  properties: {
    workspaceId: workspaceId
    logs: map(['StorageWrite', 'StorageDelete'], category => {
      category: category
      enabled: true
    })
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

// Writes and deletes of queue messages would be logged by the thousand and say nothing: metrics only.
resource queueDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: queueService
  name: 'cmk-autopilot'
  properties: {
    workspaceId: workspaceId
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

output id string = account.id
output name string = account.name
output blobEndpoint string = account.properties.primaryEndpoints.blob
output queueEndpoint string = account.properties.primaryEndpoints.queue
output tableEndpoint string = account.properties.primaryEndpoints.table
