// Has Azure Resource Manager tell the app of what changes in one subscription. Made at the subscription itself, not on a system
// topic of ours: a subscription has one topic at most, and Event Grid makes it, or takes the one that is there. Without a
// place for dead letters: they would hold the names and addresses of callers, and the hourly drift check makes up for them.

targetScope = 'subscription'

import { nameOf, watchedOperations } from '../names.bicep'

param functionAppId string
@description('Client id of the identity of the app: what the app itself writes is no news.')
param appClientId string

// One after the other: the first makes the topic.
@batchSize(1)
resource watches 'Microsoft.EventGrid/eventSubscriptions@2025-02-15' = [
  for watch in watchedOperations: {
    // The name that the app gives one that it makes.
    name: 'cmk-${take(nameOf(functionAppId), 59 - length(watch.ending))}-${watch.ending}'
    properties: {
      eventDeliverySchema: 'CloudEventSchemaV1_0'
      filter: {
        includedEventTypes: [
          'Microsoft.Resources.ResourceWriteSuccess'
          'Microsoft.Resources.ResourceDeleteSuccess'
        ]
        advancedFilters: [
          {
            operatorType: 'StringIn'
            key: 'data.operationName'
            values: watch.operations
          }
          {
            operatorType: 'StringNotIn'
            key: 'data.claims.appid'
            values: [appClientId]
          }
        ]
      }
      destination: {
        endpointType: 'AzureFunction'
        properties: {
          resourceId: '${functionAppId}/functions/resourceChanged'
          // One event a call, as for the events of vaults.
          maxEventsPerBatch: 1
          preferredBatchSizeInKilobytes: 64
        }
      }
      retryPolicy: {
        maxDeliveryAttempts: 30
        eventTimeToLiveInMinutes: 1440
      }
    }
  }
]
