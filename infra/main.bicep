// CMK Autopilot: everything but the event subscriptions, which can only be made when the functions they aim at exist
// (events.bicep, deployed after the package).

targetScope = 'subscription'

import {
  containerNames
  controlTableNames
  isManagedHsm
  nameOf
  queueNames
  resourceGroupOf
  settingSet
  subscriptionOf
  tagSet
  topicIdOf
  vaultLocation
  workTableNames
} from 'names.bicep'

@minLength(1)
@maxLength(32)
@description('Name of this environment, part of the names of its resources: dev, test, prod. Letters, digits and hyphens.')
param environmentName string

@minLength(1)
@description('Region of the app. It need not be the region of the vaults or the accounts.')
@metadata({ azd: { type: 'location' } })
param location string

@minLength(1)
@description('Resource ids of the key vaults (and Managed HSMs) to look after: /subscriptions/…/resourceGroups/…/providers/Microsoft.KeyVault/vaults/… They may be in other resource groups and subscriptions, and key vaults must use Azure RBAC.')
param managedVaults string[]

@description('Subscriptions whose storage accounts are looked after; empty means the one deployed to.')
param storageSubscriptions string[] = []

@description('Resource groups (ids) to which the right to write storage accounts is confined. Empty: the whole of each subscription above.')
param storageResourceGroups string[] = []

@description('Application (client) id of the app registration of the break-glass API (infra/entra.sh makes it). Empty: the API refuses every call.')
param apiClientId string = ''

@description('Lets App Service check tokens too, in front of the app, which checks each in any case. Where a policy asks for it.')
param platformAuthentication bool = false

@description('With that: application (client) ids of pipelines and other programs that call the API, beside the Azure CLI with a person signed in.')
param apiClients string[] = []

@description('Tenant whose tokens the API takes.')
param apiTenantId string = tenant().tenantId

@description('Settings of the app that differ from their default, by name: docs/reference/settings.md has them all. The app checks them when it starts, and does nothing until they are right.')
param settings settingSet = {}

@description('Resource id of the Key Vault secret that says whom to notify (docs/how-to/notifications.md): /subscriptions/…/vaults/…/secrets/… The app gets Key Vault Secrets User on it, and the setting CMK_NOTIFY as a reference. Empty: no notifications.')
param notifyFrom string = ''

@description('Tags for every resource.')
param tags tagSet = {}

@description('Resource group of the app; empty for rg-cmk-<environmentName>.')
param resourceGroupName string = ''

@description('Address of a released package (cmk-autopilot-app-<version>.zip), for a deployment by the portal or by this template alone: the app then makes its own event subscriptions, within an hour. Empty: azd or a script deploys the package, and events.bicep after it.')
param packageUri string = ''

@description('Defines and assigns the roles of the app, which takes the right to do so (Owner, or User Access Administrator beside Contributor). Off: rights.bicep does, deployed by those who have that right, once and whenever rights change.')
param assignRights bool = true

// Rights that are given only on request.

@description('Lets the app bring back a soft-deleted key as part of a restore.')
param allowKeyRecovery bool = false

@description('Lets the app fix event subscriptions that the drift check finds missing or aimed elsewhere. With packageUri the app makes them by this right, and has none without it.')
param allowEventRepair bool = true

@description('Has Azure Resource Manager tell the app of changes to accounts, roles, vaults and identities, so that drift is found in seconds and not by the hourly check alone. Gives the app the rights to see and fix the event subscription of each subscription with accounts.')
param watchChanges bool = true

@description('Rights on the storage of the app that Azure asks for when the app makes an event subscription whose dead letters go there. Only needed if that fails with LinkedAuthorizationFailed, which names them.')
param deadLetterActions (
  | 'Microsoft.Storage/storageAccounts/read'
  | 'Microsoft.Storage/storageAccounts/write'
  | 'Microsoft.Storage/storageAccounts/blobServices/containers/read'
  | 'Microsoft.Storage/storageAccounts/blobServices/containers/write')[] = []

@description('Gives the app userAssignedIdentities/assign/action. Only needed if Azure refuses to write an account with LinkedAuthorizationFailed.')
param allowIdentityAssignment bool = false

@description('Lets the app list the file shares of dependent accounts after a revocation, to see whether they really refuse (effect probe). Gives it Storage File Data Privileged Reader: it could read every file.')
param allowEffectProbe bool = false

@description('Lets the app list the blobs of dependent accounts that have no file share after a revocation, to see whether they really refuse, and sets CMK_PROBE_BLOBS. Gives it a role with the data action blobs/read, under a condition that lets it list blobs with their metadata, and read none.')
param allowBlobProbe bool = false

@description('How the app sees other resources that use a key (blast radius): "listed" reads the types in key-users.json, "reader" gives it the built-in Reader, so that it sees types that are not known yet too and may retire versions by itself, "none" leaves them out. Outside AzureCloud some types do not exist, so "reader" is the default there.')
@allowed(['listed', 'reader', 'none'])
param otherDependents string = environment().name == 'AzureCloud' ? 'listed' : 'reader'

@description('System topics that managed vaults have already, in whichever resource group or subscription and by whichever name: the resource id of each, by the resource id of its vault. docs/how-to/deploy-azd.md, "System topics that exist already", says how to find them.')
param systemTopics settingSet = {}

@description('Gives the app and the Functions host their rights on blobs container by container. Off: Storage Blob Data Owner on the account, as the documentation of Functions has it.')
param hostStorageByContainer bool = false

// Operation.

@description('Sends the audit log of the managed vaults to the workspace of the app, which then tells who used which key version. Costs by what is logged; a vault that Storage asks often logs much.')
param vaultDiagnostics bool = false

@description('Sends the logs of the site of the app to its workspace: sign-ins and calls that were kept out among them. What the app itself records comes twice then.')
param siteDiagnostics bool = false

@description('Logs reads of the app\'s blobs beside writes: who read the audit trail. Azure has no category for one container, so the reads of the app and its host are logged too.')
param logStorageReads bool = false

@description('Locks the resource group of the app against deletion (CanNotDelete). Taken away by hand before the app is uninstalled.')
param lockGroup bool = false

@description('Days for which logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Days for which a record of the audit trail can be neither changed nor deleted.')
@minValue(1)
@maxValue(146000)
param auditRetentionDays int = 365

@description('Set to true after locking the immutability policy of the container cmk-audit (docs/how-to/audit.md); it locks nothing. A deployment stops where the policy is not locked.')
param auditPolicyLocked bool = false

@description('Puts the audit trail into a storage account of its own. Decided at the first deployment: a trail that is there is not moved, and a new one begins.')
param separateAuditStorage bool = false

@description('Days after which drift reports and dead letters are deleted.')
@minValue(1)
param reportRetentionDays int = 180

@description('Redundancy of the storage of the app. Regions without availability zones have no ZRS: Standard_LRS there.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param storageSku string = 'Standard_ZRS'

@description('The most on-demand instances of each group of functions (HTTP together, each other function by itself); always-ready ones are not counted, and a burst of calls can exceed it for a while. Some regions may still take no less than 40, the lowest until 2026.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Major version of Node.js that the app runs on. Support for 22 ends on 30 April 2027.')
@allowed(['22', '24'])
param nodeVersion string = '24'

@description('Memory of an instance, in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Instances kept warm for the HTTP functions, so that a revocation never waits for a cold start. Each costs at rest (docs/reference/rights-and-cost.md).')
@minValue(0)
param alwaysReadyHttp int = 1

@description('Instances kept warm for the event of a new key version, so that the first accounts move within about a second at any time. With 0, Azure first starts an instance where none is up: seconds, and up to 30. Each costs at rest, as those for HTTP.')
@minValue(0)
param alwaysReadyEvents int = 0

@description('Addresses that get the alerts.')
param alertEmails string[] = []

@description('Existing action groups (ids) that get the alerts.')
param actionGroupIds string[] = []

@description('Whether the alert rules are on.')
param alertsEnabled bool = true

@description('Hours after which a key that is still revoked raises an alert.')
@minValue(1)
@maxValue(24)
param revocationOpenHours int = 8

@description('Revocations within an hour above which an alert is raised.')
@minValue(1)
param revocationsPerHour int = 10

// Network.

@description('Puts the app on a virtual network and its storage behind private endpoints.')
param privateNetwork bool = false

@description('With a private network: closes the storage of the app to everything but its private endpoints (no public network access, no bypass for Azure services), as policies of landing zones ask. What it costs: Event Grid can no longer write dead letters, so an event that was not delivered for a day is lost, with an alert; the hourly drift check makes up for it.')
param closedStorage bool = false

@description('Encrypts tables of the app with the key of their account, as blobs, files and queues are. Decided at the first deployment: Azure changes it on no account that is there.')
param tablesUnderAccountKey bool = false

@description('With a private network: private endpoints to the managed vaults too.')
param vaultPrivateEndpoints bool = false

@description('With a private network: subnet (id) for outgoing calls, delegated to Microsoft.App/environments. Empty: a network is made.')
param appSubnetId string = ''

@description('Goes with appSubnetId: subnet (id) for the private endpoints.')
param endpointSubnetId string = ''

@description('Network security group (id) of the subnets that are made, where a policy asks for one.')
param networkSecurityGroupId string = ''

@description('Makes the private DNS zones. Off where they are kept centrally.')
param privateDnsZones bool = true

param networkAddressPrefix string = '10.80.0.0/24'
param appSubnetPrefix string = '10.80.0.0/26'
param endpointSubnetPrefix string = '10.80.0.64/26'

@description('With a private network that is made: a NAT gateway, so that the app goes out by one address.')
param natGateway bool = false

@description('With a private network that is made: address of a firewall through which everything goes out. It has to let the service tags of docs/how-to/private-networks.md pass.')
param egressFirewallAddress string = ''

@description('With a private network: telemetry by a private link (Azure Monitor Private Link Scope), and from nowhere else.')
param privateMonitoring bool = false

@description('Address ranges (CIDR) that may call the app, beside Event Grid, and its deployment service; empty for everyone with a token.')
param allowedCallers string[] = []

// A region may be given by the name that people read, "West Europe"; names cannot have spaces.
var region = contains(location, ' ') ? toLower(replace(location, ' ', '')) : location
var token = toLower(uniqueString(subscription().id, environmentName, region))
var allTags = union(tags, { 'azd-env-name': environmentName })
var appName = 'func-cmk-${environmentName}-${token}'
var groupName = empty(resourceGroupName) ? 'rg-cmk-${environmentName}' : resourceGroupName

var functionAppId = resourceId(subscription().subscriptionId, groupName, 'Microsoft.Web/sites', appName)

// Each once: ids differ in case by where they were copied from, and in a form they stand on lines of their own.
var givenVaults = map(managedVaults, id => trim(id))
var vaultIds = filter(
  givenVaults,
  (id, index) => indexOf(map(givenVaults, one => toLower(one)), toLower(id)) == index
)
// A Managed HSM has its own access control and sends no events.
var keyVaultIds = filter(vaultIds, id => !isManagedHsm(id))
var hsmIds = filter(vaultIds, id => isManagedHsm(id))
var accountSubscriptions = empty(storageSubscriptions)
  ? [subscription().subscriptionId]
  : union(map(storageSubscriptions, id => toLower(trim(id))), [])
// The system topic of each vault: the one that there is, or the one that will be made.
var givenTopics = toObject(items(systemTopics), topic => toLower(trim(topic.key)), topic => trim(topic.value))
var topicIds = toObject(keyVaultIds, id => toLower(id), id => topicIdOf(id, givenTopics[?toLower(id)] ?? ''))
resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: groupName
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'cmk-identity-${environmentName}'
  scope: group
  params: {
    location: location
    tags: allTags
    name: 'id-cmk-${environmentName}-${token}'
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'cmk-monitoring-${environmentName}'
  scope: group
  params: {
    location: location
    tags: allTags
    workspaceName: 'log-cmk-${environmentName}-${token}'
    insightsName: 'appi-cmk-${environmentName}-${token}'
    retentionDays: logRetentionDays
    privateIngestion: privateNetwork && privateMonitoring
  }
}

// Of each of the app's own storage accounts.
var storageOptions = {
  sku: storageSku
  auditRetentionDays: auditRetentionDays
  auditPolicyLocked: auditPolicyLocked
  reportRetentionDays: reportRetentionDays
  privateOnly: privateNetwork
  closed: privateNetwork && closedStorage
  tablesUnderAccountKey: tablesUnderAccountKey
  logReads: logStorageReads
}

module storage 'modules/storage.bicep' = {
  name: 'cmk-storage-${environmentName}'
  scope: group
  params: {
    location: location
    tags: allTags
    name: 'stcmk${token}'
    containers: filter(
      map(items(containerNames), container => container.value),
      name => name != containerNames.leases && !(separateAuditStorage && name == containerNames.audit)
    )
    queues: []
    tables: controlTableNames
    hostContainers: hostStorageByContainer
    workspaceId: monitoring.outputs.workspaceId
    options: storageOptions
  }
}

module workStorage 'modules/storage.bicep' = {
  name: 'cmk-work-storage-${environmentName}'
  scope: group
  params: {
    location: location
    tags: allTags
    name: 'stcmkw${token}'
    containers: [containerNames.leases]
    queues: queueNames
    tables: workTableNames
    hostContainers: false
    workspaceId: monitoring.outputs.workspaceId
    options: storageOptions
  }
}

module auditStorage 'modules/storage.bicep' = if (separateAuditStorage) {
  name: 'cmk-audit-storage-${environmentName}'
  scope: group
  params: {
    location: location
    tags: allTags
    name: 'stcmka${token}'
    containers: [containerNames.audit]
    queues: []
    tables: []
    hostContainers: false
    workspaceId: monitoring.outputs.workspaceId
    options: storageOptions
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'cmk-network-${environmentName}'
  scope: group
  params: {
    location: location
    tags: allTags
    name: 'vnet-cmk-${environmentName}-${token}'
    addressPrefix: networkAddressPrefix
    appSubnetPrefix: appSubnetPrefix
    endpointSubnetPrefix: endpointSubnetPrefix
    existingAppSubnetId: appSubnetId
    existingEndpointSubnetId: endpointSubnetId
    networkSecurityGroupId: networkSecurityGroupId
    privateDnsZones: privateDnsZones
    storages: concat(
      [
        { id: storage.outputs.id, services: ['blob', 'table'] }
        { id: workStorage.outputs.id, services: ['blob', 'queue', 'table'] }
      ],
      separateAuditStorage ? [{ id: auditStorage!.outputs.id, services: ['blob'] }] : []
    )
    natGateway: natGateway
    egressFirewallAddress: egressFirewallAddress
    monitored: privateMonitoring ? [monitoring.outputs.workspaceId, monitoring.outputs.insightsId] : []
    vaultIds: vaultPrivateEndpoints ? keyVaultIds : []
  }
}

module rightsBeforeApp 'rights.bicep' = if (assignRights) {
  name: take('cmk-rights-before-${environmentName}-${region}', 64)
  params: {
    part: 'beforeApp'
    environmentName: environmentName
    managedVaults: vaultIds
    storageSubscriptions: accountSubscriptions
    storageResourceGroups: storageResourceGroups
    systemTopics: systemTopics
    notifyFrom: notifyFrom
    hostStorageByContainer: hostStorageByContainer
    allowKeyRecovery: allowKeyRecovery
    allowEventRepair: allowEventRepair
    watchChanges: watchChanges
    allowIdentityAssignment: allowIdentityAssignment
    allowEffectProbe: allowEffectProbe
    allowBlobProbe: allowBlobProbe
    vaultDiagnostics: vaultDiagnostics
    otherDependents: otherDependents
    deadLetterActions: deadLetterActions
    lockGroup: lockGroup
    appPrincipalId: identity.outputs.principalId
    functionAppId: functionAppId
    storageAccountId: storage.outputs.id
    workStorageAccountId: workStorage.outputs.id
    auditStorageAccountId: separateAuditStorage ? auditStorage!.outputs.id : ''
    insightsId: monitoring.outputs.insightsId
    workspaceId: monitoring.outputs.workspaceId
  }
}

// From a name the host makes an address in core.windows.net, whatever the cloud, and a name goes before addresses.
var hostStorage = environment().name == 'AzureCloud'
  ? {
      AzureWebJobsStorage__accountName: storage.outputs.name
    }
  : {
      AzureWebJobsStorage__blobServiceUri: storage.outputs.blobEndpoint
      AzureWebJobsStorage__queueServiceUri: storage.outputs.queueEndpoint
      AzureWebJobsStorage__tableServiceUri: storage.outputs.tableEndpoint
    }

module app 'modules/app.bicep' = {
  name: 'cmk-app-${environmentName}'
  scope: group
  params: {
    location: location
    tags: allTags
    name: appName
    planName: 'plan-cmk-${environmentName}-${token}'
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    packageContainerUrl: '${storage.outputs.blobEndpoint}${containerNames.package}'
    insightsConnectionString: monitoring.outputs.connectionString
    apiClientId: apiClientId
    platformAuthentication: platformAuthentication
    apiClients: apiClients
    tenantId: apiTenantId
    maximumInstanceCount: maximumInstanceCount
    nodeVersion: nodeVersion
    instanceMemoryMB: instanceMemoryMB
    alwaysReadyHttp: alwaysReadyHttp
    alwaysReadyEvents: alwaysReadyEvents
    subnetId: network.?outputs.appSubnetId ?? ''
    workspaceId: siteDiagnostics ? monitoring.outputs.workspaceId : ''
    allowedCallers: allowedCallers
    settings: union(
      {
        AzureWebJobsStorage__credential: 'managedidentity'
        AzureWebJobsStorage__clientId: identity.outputs.clientId
        CMK_WORK__credential: 'managedidentity'
        CMK_WORK__clientId: identity.outputs.clientId
        CMK_WORK__queueServiceUri: workStorage.outputs.queueEndpoint
        AZURE_CLIENT_ID: identity.outputs.clientId
        AZURE_CLOUD: environment().name
        CMK_VAULTS: join(vaultIds, ',')
        CMK_SUBSCRIPTIONS: join(accountSubscriptions, ',')
        // Where the events of the vaults have to go: the drift check compares.
        CMK_FUNCTION_APP_ID: functionAppId
        CMK_SYSTEM_TOPICS: string(topicIds)
        CMK_WATCH_CHANGES: watchChanges ? 'on' : 'off'
      },
      allowBlobProbe
        ? {
            CMK_PROBE_BLOBS: 'on'
          }
        : {},
      hostStorage,
      separateAuditStorage
        ? {
            CMK_AUDIT__blobServiceUri: auditStorage!.outputs.blobEndpoint
          }
        : {},
      empty(apiClientId)
        ? {}
        : {
            CMK_TENANT_ID: apiTenantId
            CMK_API_AUDIENCE: apiClientId
          },
      vaultDiagnostics
        ? {
            CMK_USAGE_WORKSPACE: monitoring.outputs.customerId
          }
        : {},
      empty(packageUri)
        ? {}
        : {
            // What the check fixes by itself in any case, and the event subscriptions that this template leaves to it.
            CMK_AUTOFIX: 'StaleKeyVersion,ScopeStaleKeyVersion,LaggingAutomaticVersion,NearExpiry,RotationIncomplete,EventSubscriptionMissing,ChangesNotWatched'
          },
      empty(notifyFrom)
        ? {}
        : {
            // Without a version: App Service looks for a new one within a day.
            CMK_NOTIFY: '@Microsoft.KeyVault(SecretUri=https://${split(notifyFrom, '/')[8]}${environment().suffixes.keyvaultDns}/secrets/${nameOf(notifyFrom)})'
          },
      settings,
      {
        // Whatever else is said: Resource Graph does not say that it leaves something out.
        CMK_OTHER_DEPENDENTS: otherDependents == 'reader' ? 'all' : otherDependents
      }
    )
  }
  dependsOn: [
    rightsBeforeApp
  ]
}

module rights 'rights.bicep' = if (assignRights) {
  name: take('cmk-rights-${environmentName}-${region}', 64)
  params: {
    part: 'afterApp'
    environmentName: environmentName
    managedVaults: vaultIds
    storageSubscriptions: accountSubscriptions
    storageResourceGroups: storageResourceGroups
    systemTopics: systemTopics
    notifyFrom: notifyFrom
    hostStorageByContainer: hostStorageByContainer
    allowKeyRecovery: allowKeyRecovery
    allowEventRepair: allowEventRepair
    watchChanges: watchChanges
    allowIdentityAssignment: allowIdentityAssignment
    allowEffectProbe: allowEffectProbe
    allowBlobProbe: allowBlobProbe
    vaultDiagnostics: vaultDiagnostics
    otherDependents: otherDependents
    deadLetterActions: deadLetterActions
    lockGroup: lockGroup
    appPrincipalId: identity.outputs.principalId
    functionAppId: functionAppId
    storageAccountId: storage.outputs.id
    workStorageAccountId: workStorage.outputs.id
    auditStorageAccountId: separateAuditStorage ? auditStorage!.outputs.id : ''
    insightsId: monitoring.outputs.insightsId
    workspaceId: monitoring.outputs.workspaceId
  }
  dependsOn: [
    app
    rightsBeforeApp
  ]
}

module vaultLogs 'modules/vault-log.bicep' = [
  for id in keyVaultIds: {
    name: 'cmk-vault-log-${environmentName}-${uniqueString(id)}'
    scope: resourceGroup(subscriptionOf(id), resourceGroupOf(id))
    params: {
      vaultId: id
      environmentName: environmentName
      workspaceId: vaultDiagnostics ? monitoring.outputs.workspaceId : ''
    }
  }
]

module hsmLogs 'modules/hsm-log.bicep' = [
  for id in vaultDiagnostics ? hsmIds : []: {
    name: 'cmk-hsm-log-${environmentName}-${uniqueString(id)}'
    scope: resourceGroup(subscriptionOf(id), resourceGroupOf(id))
    params: {
      hsmId: id
      environmentName: environmentName
      workspaceId: monitoring.outputs.workspaceId
    }
  }
]

module package 'modules/package.bicep' = if (!empty(packageUri)) {
  name: 'cmk-package-${environmentName}'
  scope: group
  params: {
    functionAppId: app.outputs.id
    packageUri: packageUri
  }
}

// Without events.bicep, which follows a package, the topics are this template's to make and to write. Where rights.bicep gives
// the rights, it finds them made.
var topicVaults = empty(packageUri) && assignRights ? [] : keyVaultIds

module keptTopics 'modules/kept-topic.bicep' = [
  for id in topicVaults: if (contains(givenTopics, toLower(id))) {
    name: 'cmk-kept-${environmentName}-${uniqueString(toLower(id))}'
    scope: resourceGroup(subscriptionOf(topicIds[toLower(id)]), resourceGroupOf(topicIds[toLower(id)]))
    params: {
      name: nameOf(topicIds[toLower(id)])
    }
  }
]

module topics 'modules/event-topic.bicep' = [
  for (id, index) in topicVaults: {
    name: 'cmk-topic-${environmentName}-${uniqueString(toLower(id))}'
    scope: resourceGroup(subscriptionOf(topicIds[toLower(id)]), resourceGroupOf(topicIds[toLower(id)]))
    params: {
      environmentName: environmentName
      vaultId: id
      location: vaultLogs[index].outputs.location
      topicName: nameOf(topicIds[toLower(id)])
      topicTags: contains(givenTopics, toLower(id)) ? keptTopics[index]!.outputs.tags : {}
      topicIdentities: contains(givenTopics, toLower(id)) ? keptTopics[index]!.outputs.identities : []
      functionAppId: functionAppId
      makeSubscriptions: false
      storageAccountId: storage.outputs.id
      appPrincipalId: identity.outputs.principalId
      assignRights: assignRights
      workspaceId: monitoring.outputs.workspaceId
      actionGroupIds: alerts.outputs.actionGroupIds
    }
    dependsOn: [
      rights
    ]
  }
]

module alerts 'modules/alerts.bicep' = {
  name: 'cmk-alerts-${environmentName}'
  scope: group
  params: {
    location: location
    tags: allTags
    environmentName: environmentName
    workspaceId: monitoring.outputs.workspaceId
    actionGroupIds: actionGroupIds
    emails: alertEmails
    revocationOpenHours: revocationOpenHours
    revocationsPerHour: revocationsPerHour
    enabled: alertsEnabled
    appPrincipalId: identity.outputs.principalId
    since: monitoring.outputs.createdDate
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'cmk-workbook-${environmentName}'
  scope: group
  params: {
    location: location
    tags: allTags
    environmentName: environmentName
    workspaceId: monitoring.outputs.workspaceId
    vaultUris: concat(
      map(keyVaultIds, id => toLower('https://${nameOf(id)}${environment().suffixes.keyvaultDns}')),
      // The suffixes differ in that alone, in every cloud.
      map(
        hsmIds,
        id => toLower('https://${nameOf(id)}${replace(environment().suffixes.keyvaultDns, '.vault.', '.managedhsm.')}')
      )
    )
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_TENANT_ID string = tenant().tenantId
output CMK_API string = 'https://${app.outputs.hostName}/api'
output CMK_FUNCTION_APP_ID string = app.outputs.id
output CMK_FUNCTION_APP_NAME string = app.outputs.name
output CMK_APP_CLIENT_ID string = identity.outputs.clientId
output CMK_WATCHED_SUBSCRIPTIONS string = watchChanges ? join(accountSubscriptions, ',') : ''
output CMK_APP_PRINCIPAL_ID string = identity.outputs.principalId
output CMK_STORAGE_ACCOUNT_ID string = storage.outputs.id
output CMK_WORK_STORAGE_ACCOUNT_ID string = workStorage.outputs.id
output CMK_AUDIT_STORAGE_ACCOUNT_ID string = separateAuditStorage ? auditStorage!.outputs.id : ''
output CMK_INSIGHTS_ID string = monitoring.outputs.insightsId
output CMK_WORKSPACE_ID string = monitoring.outputs.workspaceId
output CMK_WORKBOOK_ID string = workbook.outputs.id
output CMK_ACTION_GROUP_IDS string = join(alerts.outputs.actionGroupIds, ',')
output CMK_VAULT_LOCATIONS vaultLocation[] = [
  for (id, index) in keyVaultIds: {
    id: id
    location: vaultLogs[index].outputs.location
  }
]
