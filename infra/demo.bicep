// The set-up of Microsoft's article "customer-managed keys for Azure Files", step by step, in a throwaway resource group:
//
//   az group create -n rg-cmk-demo -l <region>
//   az deployment group create -g rg-cmk-demo -f infra/demo.bicep
//
// then deploy the app with CMK_VAULTS set to the output vaultId, and rotate: az keyvault key rotate --id <keyId>.
// Purge protection cannot be turned off: the name of the deleted vault stays taken for softDeleteDays.

@description('Region of everything here.')
param location string = resourceGroup().location

@description('Who may manage the keys: object id of you or of a group. Empty for the one who deploys.')
param administratorId string = ''

@description('Type of that principal.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param administratorType string = 'User'

@description('Days for which a deleted vault or key can be brought back.')
@minValue(7)
@maxValue(90)
param softDeleteDays int = 7

@description('Size of the RSA key. Storage takes 2048, 3072 and 4096.')
@allowed([2048, 3072, 4096])
param keySize int = 3072

@description('Tells several demos in one resource group apart.')
@minLength(1)
@maxLength(8)
param suffix string = take(uniqueString(resourceGroup().id), 8)

var keyName = 'files-key'

// Step 1: a key vault with purge protection, which Storage insists on, and Azure RBAC.
resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: 'kv-cmk-demo-${suffix}'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: softDeleteDays
    enablePurgeProtection: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      // Storage reaches the key as a trusted service, were the vault closed to everyone else.
      bypass: 'AzureServices'
      defaultAction: 'Allow'
    }
  }
}

// Key Vault Crypto Officer, for the administrator of the keys. The app gets a narrower role of its own.
var cryptoOfficer = '14b46e9e-c2b7-41b4-b07b-48a6ebf60603'
var officerId = empty(administratorId) ? deployer().objectId : administratorId

resource officer 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, officerId, cryptoOfficer)
  properties: {
    principalId: officerId
    principalType: administratorType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cryptoOfficer)
  }
}

// Step 2: an RSA key with a rotation policy: a new version each year, and notice 30 days before one expires.
resource key 'Microsoft.KeyVault/vaults/keys@2026-02-01' = {
  parent: vault
  name: keyName
  properties: {
    kty: 'RSA'
    keySize: keySize
    keyOps: [
      'wrapKey'
      'unwrapKey'
    ]
    rotationPolicy: {
      attributes: {
        expiryTime: 'P2Y'
      }
      lifetimeActions: [
        {
          trigger: {
            timeAfterCreate: 'P1Y'
          }
          action: {
            type: 'rotate'
          }
        }
        {
          trigger: {
            timeBeforeExpiry: 'P30D'
          }
          action: {
            type: 'notify'
          }
        }
      ]
    }
  }
}

// Step 3: the identity by which the storage accounts reach the key, and its role.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-cmk-demo-${suffix}'
  location: location
}

// Key Vault Crypto Service Encryption User: read, wrap and unwrap.
var encryptionUser = 'e147488a-f6f5-4113-8e2d-b22465e65bf6'

resource identityRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, identity.id, encryptionUser)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', encryptionUser)
  }
}

// Step 4: storage accounts created with the key: one that follows new versions by itself, one pinned to a version, which
// stays behind for good unless the app moves it. A role takes some minutes to count: if the first deployment
// ends with KeyVaultAuthenticationFailure, run it again.
var accounts = [
  {
    name: 'stauto${suffix}'
    version: ''
  }
  {
    name: 'stpinned${suffix}'
    version: last(split(key.properties.keyUriWithVersion, '/'))
  }
]

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' = [
  for (name, index) in ['stauto${suffix}', 'stpinned${suffix}']: {
    name: name
    location: location
    kind: 'StorageV2'
    sku: {
      name: 'Standard_LRS'
    }
    identity: {
      type: 'UserAssigned'
      userAssignedIdentities: {
        '${identity.id}': {}
      }
    }
    properties: {
      allowBlobPublicAccess: false
      allowSharedKeyAccess: false
      minimumTlsVersion: 'TLS1_2'
      supportsHttpsTrafficOnly: true
      encryption: {
        identity: {
          userAssignedIdentity: identity.id
        }
        keySource: 'Microsoft.Keyvault'
        keyvaultproperties: {
          keyvaulturi: vault.properties.vaultUri
          keyname: keyName
          keyversion: accounts[index].version
        }
        services: {
          blob: {
            enabled: true
            keyType: 'Account'
          }
          file: {
            enabled: true
            keyType: 'Account'
          }
        }
      }
    }
    dependsOn: [
      identityRole
    ]
  }
]

// A file share in each: its data is encrypted with the key without more ado.
resource fileServices 'Microsoft.Storage/storageAccounts/fileServices@2024-01-01' = [
  for index in range(0, 2): {
    parent: storage[index]
    name: 'default'
  }
]

resource shares 'Microsoft.Storage/storageAccounts/fileServices/shares@2024-01-01' = [
  for index in range(0, 2): {
    parent: fileServices[index]
    name: 'demo'
    properties: {
      shareQuota: 1
    }
  }
]

output vaultId string = vault.id
output keyId string = key.properties.keyUri
output keyVersionId string = key.properties.keyUriWithVersion
output identityId string = identity.id
output accountNames string[] = [for (name, index) in ['stauto${suffix}', 'stpinned${suffix}']: storage[index].name]
