// The system topic of one vault and its event subscriptions. A system topic of our own, not subscriptions on the vault
// itself: dead letters are written with an identity (the storage takes no keys), and only a topic can have one. It is the
// topic's own, system-assigned: behind the firewall of a storage account Event Grid counts as a trusted service with no
// other (Event Grid, "Event delivery with a managed identity").

import { containerNames, eventFunctions, nameOf, tagSet } from '../names.bicep'

param environmentName string
param vaultId string
@description('Region of the vault; a system topic has to be in the same one.')
param location string
@description('Name of the system topic: of the one that the vault has already, or of the new one.')
param topicName string
param topicTags tagSet
@description('User-assigned identities that others gave the topic.')
param topicIdentities string[]
param functionAppId string
@description('Whether to make the event subscriptions: not before there are functions to aim them at.')
param makeSubscriptions bool
param storageAccountId string
param appPrincipalId string
@description('Whether the rights of topic and app are given here, and not by rights.bicep.')
param assignRights bool
param workspaceId string
param actionGroupIds string[]

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: topicName
  location: location
  tags: topicTags
  // What a topic had before stays: writing it without would take it away.
  identity: {
    type: empty(topicIdentities) ? 'SystemAssigned' : 'SystemAssigned, UserAssigned'
    userAssignedIdentities: empty(topicIdentities) ? null : toObject(topicIdentities, id => id, id => {})
  }
  properties: {
    source: vaultId
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

module access 'topic-access.bicep' = if (assignRights) {
  name: 'cmk-topic-access-${environmentName}-${uniqueString(topic.id)}'
  params: {
    environmentName: environmentName
    topicName: topic.name
    functionAppId: functionAppId
    storageAccountId: storageAccountId
    appPrincipalId: appPrincipalId
  }
}

// One after the other: Event Grid refuses two writes to one topic at a time.
@batchSize(1)
resource subscriptions 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for event in makeSubscriptions ? eventFunctions : []: {
    parent: topic
    // The name that the app gives one that it puts back, so that the next deployment finds it instead of adding another.
    name: 'cmk-${take(nameOf(functionAppId), 59 - length(event.functionName))}-${event.functionName}'
    properties: {
      eventDeliverySchema: 'CloudEventSchemaV1_0'
      filter: {
        includedEventTypes: [event.eventType]
      }
      destination: {
        endpointType: 'AzureFunction'
        properties: {
          resourceId: '${functionAppId}/functions/${event.functionName}'
          // One event a call: with more, one that fails makes Event Grid send all of them again.
          maxEventsPerBatch: 1
          preferredBatchSizeInKilobytes: 64
        }
      }
      // The longest that Event Grid offers: a day, thirty tries.
      retryPolicy: {
        maxDeliveryAttempts: 30
        eventTimeToLiveInMinutes: 1440
      }
      deadLetterWithResourceIdentity: {
        identity: {
          type: 'SystemAssigned'
        }
        deadLetterDestination: {
          endpointType: 'StorageBlob'
          properties: {
            resourceId: storageAccountId
            blobContainerName: containerNames.deadLetter
          }
        }
      }
    }
    dependsOn: [
      access
    ]
  }
]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: topic
  name: 'cmk-autopilot-${environmentName}'
  properties: {
    workspaceId: workspaceId
    logs: [
      // The only category of a system topic: what publishes is Key Vault.
      {
        category: 'DeliveryFailures'
        enabled: true
      }
    ]
  }
}

var lost = [
  {
    metric: 'DeadLetteredCount'
    what: 'could not be delivered for a day and were put into the container ${containerNames.deadLetter}'
  }
  {
    metric: 'DroppedEventCount'
    what: 'were dropped: they could not even be put aside'
  }
]

resource alerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for loss in lost: {
    name: 'cmk-${environmentName}-${topic.name}-${loss.metric}'
    location: 'global'
    properties: {
      description: 'Events of the vault ${nameOf(vaultId)} ${loss.what}. The drift check makes up for them; find out why the app did not answer.'
      severity: 1
      enabled: true
      scopes: [topic.id]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: 'lost'
            metricNamespace: 'Microsoft.EventGrid/systemTopics'
            metricName: loss.metric
            timeAggregation: 'Total'
            operator: 'GreaterThan'
            threshold: 0
          }
        ]
      }
      actions: map(actionGroupIds, id => {
        actionGroupId: id
      })
    }
  }
]

output topicId string = topic.id
