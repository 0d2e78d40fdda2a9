// The custom roles by which the app names its own functions, and its storage for dead letters, in an event subscription. Apart
// from their assignment (destination-access.bicep), and before it: a role that is new can be assigned only when it has spread.
// Defined for the subscription: a role for one resource group alone is not in the list of its subscription, where one looks
// for it to remove it.

targetScope = 'subscription'

import { nameOf } from '../names.bicep'

param functionAppId string
param environmentName string
@description('Rights on the storage of the app that Azure asks for when dead letters go there.')
param deadLetterActions string[]

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, functionAppId, 'destination-writer')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot destination writer (${environmentName}, ${take(uniqueString(functionAppId), 6)})'
    description: 'Name the functions of ${nameOf(functionAppId)} as the destination of an event subscription.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          'Microsoft.Web/sites/functions/read'
          // Event Grid lets only those aim events at a function who may write it. It changes no code: the app runs from
          // a package in storage, which this does not reach.
          'Microsoft.Web/sites/functions/write'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource deadLetterRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (!empty(deadLetterActions)) {
  name: guid(subscription().id, functionAppId, 'dead-letter-writer')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot dead-letter writer (${environmentName}, ${take(uniqueString(functionAppId), 6)})'
    description: 'Name the storage of ${nameOf(functionAppId)} as the place for dead letters in an event subscription. Only assigned where the deployment asks for it.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        // What Azure asks for is not documented: its refusal names it (LinkedAuthorizationFailed).
        actions: deadLetterActions
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}
