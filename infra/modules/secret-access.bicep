// Lets the app read the one secret that says whom to notify: App Service resolves the reference to it with the app's identity.

import { nameOf } from '../names.bicep'

@description('Resource id of the secret.')
param notifyFrom string
param principalId string

// Key Vault Secrets User: reads secret contents. On the secret alone, and not on its vault.
var keyVaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: split(notifyFrom, '/')[8]

  resource secret 'secrets' existing = {
    name: nameOf(notifyFrom)
  }
}

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault::secret
  name: guid(vault::secret.id, principalId, keyVaultSecretsUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsUser)
    description: 'CMK Autopilot: whom to notify.'
  }
}
