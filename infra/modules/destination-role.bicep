// The custom role by which the app names its own functions as the destination of an event subscription. Apart from its
// assignment (app.bicep), and before it: a role that is new can be assigned only when it has spread. Defined for the
// subscription: a role for one resource group alone is not in the list of its subscription, where one looks for it to remove
// it.

targetScope = 'subscription'

import { nameOf } from '../names.bicep'

param functionAppId string
param environmentName string

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

output roleName string = role.name
