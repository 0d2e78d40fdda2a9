// The event subscriptions: one for each managed vault and each event function. A template of its own, because Event Grid
// takes a function as destination only once it exists, and functions exist only once the package is deployed. azd runs it
// after each deployment (azure.yaml), scripts/infra/deploy.ts does the same; running it again changes nothing.

targetScope = 'subscription'

import { nameOf, newTopicId, vaultTopic, subscriptionOf, resourceGroupOf } from 'names.bicep'

@minLength(1)
@maxLength(32)
param environmentName string

@minLength(1)
@description('The managed vaults and their regions (output CMK_VAULT_LOCATIONS of main.bicep).')
param vaults vaultTopic[]

@description('Resource id of the function app.')
param functionAppId string

@description('Resource id of the storage account of the app.')
param storageAccountId string

@description('Principal of the identity of the app, which sees and fixes its event subscriptions.')
param appPrincipalId string

@description('Subscriptions whose changes Azure Resource Manager is to tell the app of.')
param watchedSubscriptions string[] = []

@description('Client id of the identity of the app: what it writes itself is left out of these.')
param appClientId string = ''

@description('Whether the rights of topics and app are given here; off where rights.bicep gives them.')
param assignRights bool = true

@description('Workspace for delivery failures.')
param workspaceId string

@description('Action groups that get the alerts.')
param actionGroupIds string[] = []

module topics 'modules/event-topic.bicep' = [
  for vault in vaults: {
    name: 'cmk-events-${environmentName}-${uniqueString(toLower(vault.id))}'
    scope: resourceGroup(
      subscriptionOf(vault.?topicId ?? newTopicId(vault.id)),
      resourceGroupOf(vault.?topicId ?? newTopicId(vault.id))
    )
    params: {
      environmentName: environmentName
      vaultId: vault.id
      location: vault.location
      topicName: nameOf(vault.?topicId ?? newTopicId(vault.id))
      topicTags: vault.?topicTags ?? {}
      topicIdentities: vault.?topicIdentities ?? []
      functionAppId: functionAppId
      makeSubscriptions: true
      storageAccountId: storageAccountId
      appPrincipalId: appPrincipalId
      assignRights: assignRights
      workspaceId: workspaceId
      actionGroupIds: actionGroupIds
    }
  }
]

module watches 'modules/change-watch.bicep' = [
  for id in watchedSubscriptions: {
    name: 'cmk-changes-${environmentName}-${uniqueString(toLower(functionAppId))}'
    scope: subscription(id)
    params: {
      functionAppId: functionAppId
      appClientId: appClientId
    }
  }
]
