// A storage account of the app's own: of the control zone, of the work zone, or of the audit trail (docs/explanation/trust.md).
// Encrypted with Microsoft-managed keys on purpose: with a key that the app manages, a revocation would lock the app out
// of the queues it needs for the restore.

import { containerNames, hostContainerNames, tagSet } from '../names.bicep'

type storageOptions = {
  sku: 'Standard_LRS' | 'Standard_ZRS' | 'Standard_GRS' | 'Standard_GZRS' | 'Standard_RAGRS' | 'Standard_RAGZRS'
  @description('Days for which a record of the audit trail can be neither changed nor deleted.')
  auditRetentionDays: int
  @description('True once the audit policy was locked: Azure refuses any change to a locked policy but a longer period, so it is left alone.')
  auditPolicyLocked: bool
  @description('Days after which drift reports and dead letters are deleted.')
  reportRetentionDays: int
  @description('Whether only private endpoints, and Azure services by their own identity, reach the account.')
  privateOnly: bool
  @description('Whether only private endpoints reach the account, and no Azure service by its own identity either.')
  closed: bool
  @description('Whether one key encrypts tables too, beside blobs, files and queues. Azure changes that of no account that is there.')
  tablesUnderAccountKey: bool
  @description('Logs reads of blobs too, those of the audit trail among them: Azure has no category for one container.')
  logReads: bool
}

param location string
param tags tagSet
param name string
param containers string[]
param queues string[]
param tables string[]
param workspaceId string
@description('What all of them have in common.')
param options storageOptions
@description('Makes the containers of the Functions host, where the app and its host get their rights by container (own-access.bicep).')
param hostContainers bool

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: options.sku
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowedCopyScope: 'AAD'
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: union(
        {
          blob: {
            enabled: true
            keyType: 'Account'
          }
          file: {
            enabled: true
            keyType: 'Account'
          }
          queue: {
            enabled: true
            keyType: 'Account'
          }
        },
        options.tablesUnderAccountKey
          ? {
              table: {
                enabled: true
                keyType: 'Account'
              }
            }
          : {}
      )
    }
    // Not 'Disabled' when private, unless asked for: Event Grid writes dead letters from outside the network, as a trusted
    // service with the topic's own identity, and the bypass holds only while public access is on and denied by default.
    publicNetworkAccess: options.closed ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: options.closed ? 'None' : 'AzureServices'
      defaultAction: options.privateOnly ? 'Deny' : 'Allow'
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

resource blobContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [
  for container in containers: {
    parent: blobs
    name: container
  }
]

var hasAudit = contains(containers, containerNames.audit)
var expiring = filter(
  containers,
  name => contains([containerNames.drift, containerNames.deadLetter], name)
)

// Records can be added to the day's blob. Nothing that is there can be changed or deleted while the period runs, by any
// principal. It is left unlocked, because a lock cannot be undone: neither the policy nor the account could be removed
// until the last record's period is over. Unlocked, it holds against the app, and not against who may write the account.
// docs/how-to/audit.md says how and when to lock it.
resource auditPolicy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01' = if (hasAudit && !options.auditPolicyLocked) {
  #disable-next-line use-parent-property // the parent is one of a loop
  name: '${name}/default/${containerNames.audit}/default'
  properties: {
    immutabilityPeriodSinceCreationInDays: options.auditRetentionDays
    allowProtectedAppendWrites: true
  }
  dependsOn: [
    blobContainers
  ]
}

resource givenPolicy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01' existing = if (hasAudit && options.auditPolicyLocked) {
  #disable-next-line use-parent-property // the parent is one of a loop
  name: '${name}/default/${containerNames.audit}/default'
}

module lockedPolicy 'locked-policy.bicep' = if (hasAudit && options.auditPolicyLocked) {
  name: '${name}-locked'
  params: {
    // Any: that it may be another than the module takes is the point.
    auditPolicyState: any(hasAudit && options.auditPolicyLocked ? givenPolicy!.properties.state : 'Locked')
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = if (!empty(expiring)) {
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
              prefixMatch: expiring
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: options.reportRetentionDays
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

resource queuesOfApp 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [
  for queue in queues: {
    parent: queueService
    name: queue
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource tablesOfApp 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' = [
  for table in tables: {
    parent: tableService
    name: table
  }
]

// The host makes them for itself; here, where its rights are given on them.
resource madeForHost 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [
  for name in hostContainers ? hostContainerNames : []: {
    parent: blobs
    name: name
  }
]

// No metrics: Azure keeps those of an account for 93 days anyway, and none is asked for in the workspace, which bills them.
resource blobDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'cmk-autopilot'
  properties: {
    workspaceId: workspaceId
    logs: map(concat(['StorageWrite', 'StorageDelete'], options.logReads ? ['StorageRead'] : []), category => {
      category: category
      enabled: true
    })
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
  }
}

// Who put a message: one that the app has not put is attributable. Taking messages and deleting them is not logged.
resource queueDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: queueService
  name: 'cmk-autopilot'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageWrite'
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
