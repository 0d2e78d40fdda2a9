// Every right of the app: the custom roles, and their assignments, and the lock on its resource group. main.bicep deploys it in two parts; where
// it must not (assignRights), another team, which may define and assign roles, deploys this template with the outputs of main.bicep.

targetScope = 'subscription'

import {
  instanceIn
  isManagedHsm
  nameOf
  resourceGroupOf
  roleGuid
  settingSet
  subscriptionOf
  topicIdOf
} from 'names.bicep'

@minLength(1)
@maxLength(32)
@description('Name of this environment, as in main.bicep.')
param environmentName string

@description('Principal of the identity of the app (output CMK_APP_PRINCIPAL_ID of main.bicep).')
param appPrincipalId string

@description('Resource id of the function app (output CMK_FUNCTION_APP_ID).')
param functionAppId string

@description('Resource id of the storage account of the app (output CMK_STORAGE_ACCOUNT_ID).')
param storageAccountId string

@description('Resource id of the storage account of the work zone (output CMK_WORK_STORAGE_ACCOUNT_ID).')
param workStorageAccountId string

@description('Resource id of the storage account of the audit trail (output CMK_AUDIT_STORAGE_ACCOUNT_ID); empty: it has none of its own.')
param auditStorageAccountId string = ''

@description('Resource id of Application Insights (output CMK_INSIGHTS_ID).')
param insightsId string

@description('Resource id of the workspace of the app (output CMK_WORKSPACE_ID).')
param workspaceId string

@description('What is deployed: all of it, or, as main.bicep does, what the app needs before it starts and the rest after it. A role that is new cannot be assigned at once (RoleDefinitionDoesNotExist): the app takes the longest to deploy.')
@allowed(['all', 'beforeApp', 'afterApp'])
param part string = 'all'

@description('As in main.bicep, and so are all that follow.')
param managedVaults string[]
param storageSubscriptions string[] = []
param storageResourceGroups string[] = []
param systemTopics settingSet = {}
param notifyFrom string = ''
param hostStorageByContainer bool = false
param allowKeyRecovery bool = false
param allowEventRepair bool = true
param watchChanges bool = true
param allowIdentityAssignment bool = false
param allowEffectProbe bool = false
param allowBlobProbe bool = false
param vaultDiagnostics bool = false
@allowed(['listed', 'reader', 'none'])
param otherDependents string = environment().name == 'AzureCloud' ? 'listed' : 'reader'
param deadLetterActions (
  | 'Microsoft.Storage/storageAccounts/read'
  | 'Microsoft.Storage/storageAccounts/write'
  | 'Microsoft.Storage/storageAccounts/blobServices/containers/read'
  | 'Microsoft.Storage/storageAccounts/blobServices/containers/write')[] = []
param lockGroup bool = false

var beforeApp = part != 'afterApp'
var afterApp = part != 'beforeApp'
// Names of deployments within: the environment may have one of its name in another subscription or region.
var token = toLower(uniqueString(functionAppId))
var appSubscription = subscriptionOf(functionAppId)

// Each once: ids differ in case by where they were copied from, and in a form they stand on lines of their own.
var givenVaults = map(managedVaults, id => trim(id))
var vaultIds = filter(
  givenVaults,
  (id, index) => indexOf(map(givenVaults, one => toLower(one)), toLower(id)) == index
)
var givenGroups = map(storageResourceGroups, id => trim(id))
var writableGroups = filter(
  givenGroups,
  (id, index) => indexOf(map(givenGroups, one => toLower(one)), toLower(id)) == index
)
// A Managed HSM has its own access control and sends no events.
var keyVaultIds = filter(vaultIds, id => !isManagedHsm(id))
var hsmIds = filter(vaultIds, id => isManagedHsm(id))
var accountSubscriptions = empty(storageSubscriptions)
  ? [appSubscription]
  : union(map(storageSubscriptions, id => toLower(trim(id))), [])
var givenTopics = toObject(items(systemTopics), topic => toLower(trim(topic.key)), topic => trim(topic.value))
var topicIds = map(keyVaultIds, id => topicIdOf(id, givenTopics[?toLower(id)] ?? ''))
var vaultSubscriptions = union(map(keyVaultIds, id => subscriptionOf(id)), [])
var hsmSubscriptions = union(map(hsmIds, id => subscriptionOf(id)), [])
var policySubscriptions = union(vaultSubscriptions, hsmSubscriptions)
var eventSubscriptions = union(map(topicIds, id => subscriptionOf(id)), [])
// In these the app looks for the topics: a topic may have been moved since.
var topicSubscriptions = union(vaultSubscriptions, eventSubscriptions)
// The log is in the app's own workspace, if it takes it.
var usageSubscriptions = vaultDiagnostics ? [appSubscription] : []
var groupSubscriptions = union(map(writableGroups, id => subscriptionOf(id)), [])
// Every subscription that needs role definitions.
var roleSubscriptions = union(
  vaultSubscriptions,
  hsmSubscriptions,
  topicSubscriptions,
  usageSubscriptions,
  accountSubscriptions,
  groupSubscriptions
)
var writeEverywhere = empty(writableGroups)

var reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
var storageFileDataPrivilegedReader = 'b8eda974-7b85-4f76-af95-65846b26df6d'

@description('Id of one of the custom roles (modules/roles.bicep) in a subscription.')
func roleId(subscriptionId string, appSubscriptionId string, environmentName string, role string) string =>
  subscriptionResourceId(
    subscriptionId,
    'Microsoft.Authorization/roleDefinitions',
    roleGuid(subscriptionId, instanceIn(subscriptionId, appSubscriptionId, environmentName), role)
  )

module ownAccess 'modules/own-access.bicep' = if (beforeApp) {
  name: 'cmk-own-${environmentName}-${token}'
  scope: resourceGroup(appSubscription, resourceGroupOf(functionAppId))
  params: {
    storageName: nameOf(storageAccountId)
    workStorageName: nameOf(workStorageAccountId)
    auditStorageName: empty(auditStorageAccountId) ? '' : nameOf(auditStorageAccountId)
    insightsName: nameOf(insightsId)
    appPrincipalId: appPrincipalId
    hostStorageByContainer: hostStorageByContainer
  }
}

// Given before the app has the reference: one that cannot be resolved is next looked at within a day, or by a restart.
module notifyReader 'modules/secret-access.bicep' = if (beforeApp && !empty(notifyFrom)) {
  name: 'cmk-notify-${environmentName}-${token}'
  scope: resourceGroup(
    empty(notifyFrom) ? subscription().subscriptionId : subscriptionOf(notifyFrom),
    empty(notifyFrom) ? resourceGroupOf(functionAppId) : resourceGroupOf(notifyFrom)
  )
  params: {
    notifyFrom: notifyFrom
    principalId: appPrincipalId
  }
}

module destinationRoles 'modules/destination-roles.bicep' = if (beforeApp && allowEventRepair) {
  name: 'cmk-destination-${environmentName}-${token}'
  params: {
    functionAppId: functionAppId
    environmentName: environmentName
    deadLetterActions: deadLetterActions
  }
}

module roles 'modules/roles.bicep' = [
  for id in roleSubscriptions: if (beforeApp) {
    // With the token, in which region and subscription of the app are: Azure refuses the name of a deployment to a subscription
    // that was used in another region before, and one that runs at the time, as that of an app of the same environment name may.
    name: 'cmk-roles-${environmentName}-${token}'
    scope: subscription(id)
    params: {
      environmentName: environmentName
      appSubscriptionId: appSubscription
      allowKeyRecovery: allowKeyRecovery
      allowEventRepair: allowEventRepair
      forVaults: contains(vaultSubscriptions, id)
      forHsms: contains(hsmSubscriptions, id)
      forTopics: contains(topicSubscriptions, id)
      forPolicies: contains(policySubscriptions, id)
      forEvents: contains(eventSubscriptions, id)
      forChanges: watchChanges && contains(accountSubscriptions, id)
      forAccounts: contains(accountSubscriptions, id)
      forWriting: writeEverywhere ? contains(accountSubscriptions, id) : contains(groupSubscriptions, id)
      allowIdentityAssignment: allowIdentityAssignment
      allowBlobProbe: allowBlobProbe
      forDependents: otherDependents == 'listed'
      forUsageLog: contains(usageSubscriptions, id)
    }
  }
]

module destinationAccess 'modules/destination-access.bicep' = if (afterApp && allowEventRepair) {
  name: 'cmk-aim-${environmentName}-${token}'
  scope: resourceGroup(appSubscription, resourceGroupOf(functionAppId))
  params: {
    functionAppId: functionAppId
    storageName: nameOf(storageAccountId)
    principalId: appPrincipalId
    deadLetters: !empty(deadLetterActions)
  }
  dependsOn: [
    destinationRoles
  ]
}

module vaultAccess 'modules/vault-access.bicep' = [
  for id in keyVaultIds: if (afterApp) {
    name: 'cmk-vault-${environmentName}-${uniqueString(id)}'
    scope: resourceGroup(subscriptionOf(id), resourceGroupOf(id))
    params: {
      vaultId: id
      principalId: appPrincipalId
      roleDefinitionId: roleId(subscriptionOf(id), appSubscription, environmentName, 'vault-operator')
    }
    dependsOn: [
      roles
    ]
  }
]

module hsmAccess 'modules/hsm-access.bicep' = [
  for id in hsmIds: if (afterApp) {
    name: 'cmk-hsm-${environmentName}-${uniqueString(id)}'
    scope: resourceGroup(subscriptionOf(id), resourceGroupOf(id))
    params: {
      hsmId: id
      principalId: appPrincipalId
      roleDefinitionId: roleId(subscriptionOf(id), appSubscription, environmentName, 'hsm-reader')
    }
    dependsOn: [
      roles
    ]
  }
]

module usageAccess 'modules/usage-access.bicep' = [
  for id in usageSubscriptions: if (afterApp) {
    name: 'cmk-usage-${environmentName}-${uniqueString(id)}'
    scope: resourceGroup(appSubscription, resourceGroupOf(functionAppId))
    params: {
      workspaceId: workspaceId
      principalId: appPrincipalId
      roleDefinitionId: roleId(id, appSubscription, environmentName, 'usage-reader')
    }
    dependsOn: [
      roles
    ]
  }
]

module policyAccess 'modules/subscription-access.bicep' = [
  for id in policySubscriptions: if (afterApp) {
    name: 'cmk-policies-${environmentName}-${token}'
    scope: subscription(id)
    params: {
      principalId: appPrincipalId
      roleDefinitionIds: [roleId(id, appSubscription, environmentName, 'policy-reader')]
    }
    dependsOn: [
      roles
    ]
  }
]

module topicReaders 'modules/subscription-access.bicep' = [
  for id in topicSubscriptions: if (afterApp) {
    name: 'cmk-topics-${environmentName}-${token}'
    scope: subscription(id)
    params: {
      principalId: appPrincipalId
      roleDefinitionIds: [roleId(id, appSubscription, environmentName, 'topic-reader')]
    }
    dependsOn: [
      roles
    ]
  }
]

module changeWatchers 'modules/subscription-access.bicep' = [
  for id in accountSubscriptions: if (afterApp && watchChanges) {
    name: 'cmk-changes-${environmentName}-${token}'
    scope: subscription(id)
    params: {
      principalId: appPrincipalId
      roleDefinitionIds: [roleId(id, appSubscription, environmentName, 'change-watcher')]
    }
    dependsOn: [
      roles
    ]
  }
]

// A lock takes the same right as a role.
module lock 'modules/group-lock.bicep' = if (afterApp && lockGroup) {
  name: 'cmk-lock-${environmentName}-${token}'
  scope: resourceGroup(appSubscription, resourceGroupOf(functionAppId))
}

// Elsewhere these come with the topic (modules/event-topic.bicep), whose own identity they are for.
module topicAccess 'modules/topic-access.bicep' = [
  for id in topicIds: if (part == 'all') {
    name: 'cmk-topic-access-${environmentName}-${uniqueString(toLower(id))}'
    scope: resourceGroup(subscriptionOf(id), resourceGroupOf(id))
    params: {
      environmentName: environmentName
      topicName: nameOf(id)
      functionAppId: functionAppId
      storageAccountId: storageAccountId
      appPrincipalId: appPrincipalId
    }
    dependsOn: [
      roles
    ]
  }
]

module subscriptionAccess 'modules/subscription-access.bicep' = [
  for id in accountSubscriptions: if (afterApp) {
    name: 'cmk-accounts-${environmentName}-${token}'
    scope: subscription(id)
    params: {
      principalId: appPrincipalId
      roleDefinitionIds: concat(
        [roleId(id, appSubscription, environmentName, 'inventory-reader')],
        writeEverywhere ? [roleId(id, appSubscription, environmentName, 'account-operator')] : [],
        allowIdentityAssignment ? [roleId(id, appSubscription, environmentName, 'identity-assigner')] : [],
        otherDependents == 'listed' ? [roleId(id, appSubscription, environmentName, 'dependents-reader')] : [],
        otherDependents == 'reader'
          ? [subscriptionResourceId(id, 'Microsoft.Authorization/roleDefinitions', reader)]
          : [],
        allowEffectProbe && writeEverywhere
          ? [subscriptionResourceId(id, 'Microsoft.Authorization/roleDefinitions', storageFileDataPrivilegedReader)]
          : []
      )
      blobListerId: allowBlobProbe && writeEverywhere
        ? roleId(id, appSubscription, environmentName, 'blob-lister')
        : ''
    }
    dependsOn: [
      roles
    ]
  }
]

module groupAccess 'modules/group-access.bicep' = [
  for id in writableGroups: if (afterApp) {
    name: 'cmk-accounts-${environmentName}-${uniqueString(token, toLower(id))}'
    scope: resourceGroup(subscriptionOf(id), resourceGroupOf(id))
    params: {
      principalId: appPrincipalId
      roleDefinitionIds: concat(
        [roleId(subscriptionOf(id), appSubscription, environmentName, 'account-operator')],
        allowEffectProbe
          ? [
              subscriptionResourceId(
                subscriptionOf(id),
                'Microsoft.Authorization/roleDefinitions',
                storageFileDataPrivilegedReader
              )
            ]
          : []
      )
      blobListerId: allowBlobProbe
        ? roleId(subscriptionOf(id), appSubscription, environmentName, 'blob-lister')
        : ''
    }
    dependsOn: [
      roles
    ]
  }
]
