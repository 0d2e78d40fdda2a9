// The app's rights on one managed vault.

import { nameOf } from '../names.bicep'

param vaultId string
param principalId string
param roleDefinitionId string
@description('Role that takes and gives roles; empty: the app does neither.')
param keyRoleKeeperId string

// Key Vault Crypto Service Encryption User, and nothing else, of and to service principals alone (Azure RBAC, "Delegate
// Azure role assignment management to others with conditions").
var encryptionUser = 'e147488a-f6f5-4113-8e2d-b22465e65bf6'
var assignments = 'Microsoft.Authorization/roleAssignments'
var onWrite = '@Request[${assignments}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${encryptionUser}} AND @Request[${assignments}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {\'ServicePrincipal\'}'
var onDelete = replace(onWrite, '@Request', '@Resource')

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: nameOf(vaultId)
}

resource operator 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, principalId, roleDefinitionId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: roleDefinitionId
    description: 'CMK Autopilot: rotate keys, enable and disable their versions.'
  }
}

resource keyRoleKeeper 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(keyRoleKeeperId)) {
  scope: vault
  name: guid(vault.id, principalId, keyRoleKeeperId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: keyRoleKeeperId
    description: 'CMK Autopilot: take the role of one account\'s identity away, and give it back.'
    condition: '((!(ActionMatches{\'${assignments}/write\'})) OR (${onWrite})) AND ((!(ActionMatches{\'${assignments}/delete\'})) OR (${onDelete}))'
    conditionVersion: '2.0'
  }
}
