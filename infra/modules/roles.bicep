// The custom roles of one subscription. Each action stands with the reason why the app needs it; nothing here deletes or
// purges a key, and nothing is a wildcard. They are defined per subscription, so that deploying them takes no right on
// another one, and only those that are assigned there.

targetScope = 'subscription'

import { instanceIn, roleGuid } from '../names.bicep'

@description('Distinguishes the roles of several environments: the names of roles are unique in a tenant.')
param environmentName string
@description('Subscription of the app.')
param appSubscriptionId string
@description('Lets the app bring back a soft-deleted key as part of a restore.')
param allowKeyRecovery bool
@description('Lets the app fix event subscriptions that the drift check finds missing or aimed elsewhere.')
param allowEventRepair bool


@description('Lets the app list the blobs of dependent accounts after a revocation.')
param allowBlobProbe bool

@description('Whether managed key vaults are in this subscription.')
param forVaults bool
@description('Whether Managed HSMs are.')
param forHsms bool
@description('Whether system topics of managed vaults are looked for in this subscription.')
param forTopics bool
@description('Whether managed vaults of either kind are in this subscription.')
param forPolicies bool
@description('Whether system topics of managed vaults are there.')
param forEvents bool
@description('Whether Resource Manager is to tell the app of changes in this subscription.')
param forChanges bool
@description('Whether the storage accounts of this subscription are looked after.')
param forAccounts bool
@description('Whether storage accounts in it, all or some, are written.')
param forWriting bool
@description('Lets the app name a user-assigned identity when it writes an account.')
param allowIdentityAssignment bool
@description('Whether the app sees other resources that use a key through the role for that.')
param forDependents bool
@description('Whether the workspace with the audit logs of the vaults, which tell who used a key, is in this subscription.')
param forUsageLog bool

var instance = instanceIn(subscription().subscriptionId, appSubscriptionId, environmentName)
var suffix = '(${environmentName}, ${take(uniqueString(subscription().id, instance), 6)})'

resource vaultOperator 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (forVaults) {
  name: roleGuid(subscription().subscriptionId, instance, 'vault-operator')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot vault operator ${suffix}'
    description: 'On a managed key vault: read keys, rotate them, enable and disable their versions. Cannot delete or purge.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: concat(
          [
            // Drift check: purge protection, soft delete, RBAC mode, network rules.
            'Microsoft.KeyVault/vaults/read'
            // Drift check: do the identities of the accounts still have their role on the vault?
            'Microsoft.Authorization/roleAssignments/read'
            'Microsoft.Authorization/roleDefinitions/read'
            // Drift check: does one of these roles end, as Privileged Identity Management gives them?
            'Microsoft.Authorization/roleAssignmentScheduleInstances/read'
            // Drift check: is the audit log of the vault sent somewhere, and is the vault locked against being deleted?
            'Microsoft.Insights/diagnosticSettings/read'
            'Microsoft.Authorization/locks/read'
            // Drift check: are the event subscriptions there, and aimed at this app? Key Vault keeps its side of an event
            // subscription as a filter of the vault.
            'Microsoft.EventGrid/eventSubscriptions/read'
            'Microsoft.KeyVault/vaults/eventGridFilters/read'
          ],
          allowEventRepair
            ? [
                // Recreates a deleted event subscription, and repairs a changed one.
                'Microsoft.EventGrid/eventSubscriptions/write'
                'Microsoft.KeyVault/vaults/eventGridFilters/write'
              ]
            : []
        )
        notActions: []
        dataActions: concat(
          [
            // Versions of a key and their state; no key material leaves the vault.
            'Microsoft.KeyVault/vaults/keys/read'
            // Enable and disable versions (break-glass), write the tag that records a revocation. The same action would
            // allow to change expiry and allowed operations: Key Vault has none that is narrower.
            'Microsoft.KeyVault/vaults/keys/update/action'
            // A new version when a key nears its expiry.
            'Microsoft.KeyVault/vaults/keys/rotate/action'
            // Does the key rotate by itself? Then it is left alone.
            'Microsoft.KeyVault/vaults/keyrotationpolicies/read'
          ],
          allowKeyRecovery
            ? [
                // Brings back a soft-deleted key. The opposite of deleting one.
                'Microsoft.KeyVault/vaults/keys/recover/action'
              ]
            : []
        )
        notDataActions: []
      }
    ]
  }
}

resource hsmReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (forHsms) {
  name: roleGuid(subscription().subscriptionId, instance, 'hsm-reader')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot HSM reader ${suffix}'
    description: 'See the state of a Managed HSM. Its keys have an access control of their own, which no role here reaches.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          // Drift check: purge protection, soft delete, network rules.
          'Microsoft.KeyVault/managedHSMs/read'
          // Drift check: is the holder of a local role, which the HSM names by an id alone, a person, an application or a group?
          'Microsoft.Authorization/roleAssignments/read'
          // Drift check: is its audit log sent somewhere, and is it locked against being deleted?
          'Microsoft.Insights/diagnosticSettings/read'
          'Microsoft.Authorization/locks/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource eventOperator 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (forEvents) {
  name: roleGuid(subscription().subscriptionId, instance, 'event-operator')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot event operator ${suffix}'
    description: 'On the system topic of a managed key vault: see and fix the event subscriptions of the app.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: concat(
          [
            // Drift check: is there a system topic, with its identity for dead letters?
            'Microsoft.EventGrid/systemTopics/read'
            'Microsoft.EventGrid/systemTopics/eventSubscriptions/read'
          ],
          allowEventRepair
            ? [
                // As on the vault: event subscriptions of a system topic are resources below it.
                'Microsoft.EventGrid/systemTopics/eventSubscriptions/write'
              ]
            : []
        )
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource changeWatcher 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (forChanges) {
  name: roleGuid(subscription().subscriptionId, instance, 'change-watcher')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot change watcher ${suffix}'
    description: 'On a subscription: see, and make or fix, the event subscription that tells the app of changes in it.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: concat(
          [
            // Drift check: does Resource Manager tell the app of changes?
            'Microsoft.EventGrid/eventSubscriptions/read'
            'Microsoft.EventGrid/systemTopics/read'
            'Microsoft.EventGrid/systemTopics/eventSubscriptions/read'
          ],
          allowEventRepair
            ? [
                // At the subscription, or on the system topic that it has.
                'Microsoft.EventGrid/eventSubscriptions/write'
                'Microsoft.EventGrid/systemTopics/eventSubscriptions/write'
              ]
            : []
        )
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource topicReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (forTopics) {
  name: roleGuid(subscription().subscriptionId, instance, 'topic-reader')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot topic reader ${suffix}'
    description: 'Find the system topic of a managed key vault, in whichever resource group and by whichever name.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          // Drift check: a vault without a topic, and a topic out of sight, are two things.
          'Microsoft.EventGrid/systemTopics/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource policyReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (forPolicies) {
  name: roleGuid(subscription().subscriptionId, instance, 'policy-reader')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot policy reader ${suffix}'
    description: 'See what Azure Policy denies of the keys in a managed key vault.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          // Drift check: does a policy that applies to the vault deny what the next rotation would make, and is it exempt?
          'Microsoft.Authorization/policyAssignments/read'
          'Microsoft.Authorization/policyExemptions/read'
          // The assignment of an initiative only names it. Those of a management group are out of reach from here.
          'Microsoft.Authorization/policySetDefinitions/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource accountOperator 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (forWriting) {
  name: roleGuid(subscription().subscriptionId, instance, 'account-operator')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot account operator ${suffix}'
    description: 'Read storage accounts and their encryption scopes, and write their encryption settings. Reads no account keys.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          // Which key version does an account use?
          'Microsoft.Storage/storageAccounts/read'
          // Moves an account to another version. Azure has no narrower action for encryption settings; the app sends the
          // encryption object alone, and no action here lists the account's keys.
          'Microsoft.Storage/storageAccounts/write'
          // The same for encryption scopes, which can have a key of their own.
          'Microsoft.Storage/storageAccounts/encryptionScopes/read'
          'Microsoft.Storage/storageAccounts/encryptionScopes/write'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

// Assigned under a condition: lists alone (modules/subscription-access.bicep, modules/group-access.bicep).
resource blobLister 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (allowBlobProbe && forWriting) {
  name: roleGuid(subscription().subscriptionId, instance, 'blob-lister')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot blob lister ${suffix}'
    description: 'List blobs with their metadata, to see whether Storage refuses after a revocation. Only assigned under a condition, which keeps their content from being read.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: [
          // Effect probe: is a list with metadata refused? Azure has no narrower data action.
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
        ]
        notDataActions: []
      }
    ]
  }
}

resource identityAssigner 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (allowIdentityAssignment && forAccounts) {
  name: roleGuid(subscription().subscriptionId, instance, 'identity-assigner')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot identity assigner ${suffix}'
    description: 'Write an account that names a user-assigned identity. Only assigned where the deployment asks for it.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          // Needed to attach an identity. Whether a PATCH that names the attached one again needs it is not documented.
          'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action'
          'Microsoft.ManagedIdentity/userAssignedIdentities/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource inventoryReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (forAccounts) {
  name: roleGuid(subscription().subscriptionId, instance, 'inventory-reader')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot inventory reader ${suffix}'
    description: 'Find what depends on a key: storage accounts, scopes, file shares and identities.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: concat([
          // Is the subscription there, and in use?
          'Microsoft.Resources/subscriptions/read'
          // Accounts and what hangs on their key: the blast radius of a revocation names the file shares.
          'Microsoft.Storage/storageAccounts/read'
          'Microsoft.Storage/storageAccounts/encryptionScopes/read'
          'Microsoft.Storage/storageAccounts/fileServices/shares/read'
          // An old key version is not retired while a deleted account that may need it can be recovered.
          'Microsoft.Storage/deletedAccounts/read'
          // Drift check: does the account's identity exist? Whether it has its role is asked on the vault.
          'Microsoft.ManagedIdentity/userAssignedIdentities/read'
          // Drift check: who moved an account back to an older version of its key?
          'Microsoft.Insights/eventtypes/values/read'
          // Drift check: would a policy deny the next move of an account? Azure asks for both actions of the query.
          'Microsoft.PolicyInsights/policyStates/queryResults/read'
          'Microsoft.PolicyInsights/policyStates/queryResults/action'
          'Microsoft.PolicyInsights/checkPolicyRestrictions/read'
          'Microsoft.Authorization/policyAssignments/read'
        ], allowBlobProbe
          ? [
              // Effect probe: which container of an account is asked?
              'Microsoft.Storage/storageAccounts/blobServices/containers/read'
            ]
          : [])
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

// Resource Graph shows only what its caller may read. A service that keeps its data under a customer-managed key appears
// in the blast radius of a revocation if its type stands here.
resource dependentsReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (forDependents && forAccounts) {
  name: roleGuid(subscription().subscriptionId, instance, 'dependents-reader')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot dependents reader ${suffix}'
    description: 'See the resources other than storage accounts that use a customer-managed key.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: loadJsonContent('../key-users.json', '.read')
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource usageReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (forUsageLog) {
  name: roleGuid(subscription().subscriptionId, instance, 'usage-reader')
  properties: {
    type: 'CustomRole'
    roleName: 'CMK Autopilot usage reader ${suffix}'
    description: 'Ask the audit logs of the vaults who used a key. Reads no other table of the workspace.'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          // To query at all, and the two tables that the log comes in (Log Analytics, "manage access", table-level access).
          'Microsoft.OperationalInsights/workspaces/query/read'
          'Microsoft.OperationalInsights/workspaces/query/AzureDiagnostics/read'
          'Microsoft.OperationalInsights/workspaces/query/AZKVAuditLogs/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

output usageReaderId string = usageReader.id
output vaultOperatorId string = vaultOperator.id
output hsmReaderId string = hsmReader.id
output accountOperatorId string = accountOperator.id
output blobListerId string = blobLister.id
output identityAssignerId string = identityAssigner.id
output inventoryReaderId string = inventoryReader.id
output dependentsReaderId string = dependentsReader.id
output policyReaderId string = policyReader.id
output topicReaderId string = topicReader.id
