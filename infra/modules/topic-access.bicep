// What the system topic of a vault may do, and what the app may do on it: the topic writes dead letters as its own identity.

import { instanceIn, nameOf, resourceGroupOf, roleGuid, subscriptionOf } from '../names.bicep'

param environmentName string
param topicName string
param functionAppId string
param storageAccountId string
param appPrincipalId string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

module deadLetterAccess 'dead-letter-access.bicep' = {
  name: 'cmk-deadletter-${environmentName}-${uniqueString(topic.id)}'
  scope: resourceGroup(subscriptionOf(storageAccountId), resourceGroupOf(storageAccountId))
  params: {
    storageName: nameOf(storageAccountId)
    principalId: topic.identity.principalId
  }
}

var eventOperatorId = subscriptionResourceId(
  'Microsoft.Authorization/roleDefinitions',
  roleGuid(
    subscription().subscriptionId,
    instanceIn(subscription().subscriptionId, subscriptionOf(functionAppId), environmentName),
    'event-operator'
  )
)

resource operator 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: topic
  name: guid(topic.id, appPrincipalId, eventOperatorId)
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: eventOperatorId
    description: 'CMK Autopilot: see and fix its event subscriptions.'
  }
}
