// Names and types that several templates must agree on. Nothing is deployed from here.

@export()
type tagSet = {
  *: string
}

@export()
@description('App settings by name.')
type settingSet = {
  *: string
}

@export()
type vaultLocation = {
  @description('Resource id of the vault.')
  id: string
  location: string
}

@export()
@description('A vault and where its system topic is, or is to be.')
type vaultTopic = {
  @description('Resource id of the vault.')
  id: string
  location: string
  @description('Resource id of the system topic that the vault has already, wherever it is: Azure allows one for each vault.')
  topicId: string?
  @description('Its tags, which are kept.')
  topicTags: tagSet?
  @description('Ids of the user-assigned identities that others gave it, which are kept.')
  topicIdentities: string[]?
}

var blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers'

@export()
@description('Condition on a role that has the data action blobs/read: blobs are listed, and none is read. Read they may be in a container that no account can have; an action by itself is no form that the documentation of conditions has.')
var listBlobsAlone = '((!(ActionMatches{\'${blobs}/blobs/read\'} AND NOT SubOperationMatches{\'Blob.List\'})) OR (@Resource[${blobs}:name] StringEquals \'-\'))'

@export()
@description('Queues of the app. The functions reconcileKey, reconcileSubscription and sendNotification are bound to the first three; the host moves what cannot be done into the others.')
var queueNames = [
  'key-work'
  'fleet-work'
  'notify-work'
  'key-work-poison'
  'fleet-work-poison'
  'notify-work-poison'
]

@export()
@description('Table of the work zone: who uses which key, and what is to be done about it.')
var workTableNames = [
  'cmkfleet'
]

@export()
@description('Table of the control zone: how far rotations may go, and what re-keys have moved.')
var controlTableNames = [
  'cmkcontrol'
]

@export()
@description('Blob containers of the app: audit trail, drift reports, events that could not be delivered, leases of subscriptions and keys, and the package that runs. The leases are in the work zone, the audit trail may have an account of its own, the others are in the control zone.')
var containerNames = {
  audit: 'cmk-audit'
  drift: 'cmk-drift'
  deadLetter: 'cmk-deadletter'
  leases: 'cmk-leases'
  control: 'cmk-control'
  package: 'app-package'
}

@export()
@description('Containers that the Functions host makes for itself: locks and timers, and its keys.')
var hostContainerNames = [
  'azure-webjobs-hosts'
  'azure-webjobs-secrets'
]

@export()
@description('Operations of Azure Resource Manager that drift comes from, one list for each event subscription, whose name has that ending: with the client id of the app it may have 25 filter values.')
var watchedOperations = [
  {
    ending: 'resourceChanged'
    operations: [
      'Microsoft.Storage/storageAccounts/write'
      'Microsoft.Storage/storageAccounts/delete'
      'Microsoft.Storage/storageAccounts/encryptionScopes/write'
      'Microsoft.ManagedIdentity/userAssignedIdentities/write'
      'Microsoft.ManagedIdentity/userAssignedIdentities/delete'
      'Microsoft.Resources/subscriptions/resourceGroups/delete'
      'Microsoft.Authorization/roleAssignments/write'
      'Microsoft.Authorization/roleAssignments/delete'
      'Microsoft.Authorization/roleDefinitions/write'
      'Microsoft.Authorization/roleDefinitions/delete'
      'Microsoft.Authorization/locks/write'
      'Microsoft.Authorization/locks/delete'
      'Microsoft.KeyVault/vaults/write'
      'Microsoft.KeyVault/vaults/delete'
      'Microsoft.KeyVault/vaults/accessPolicies/write'
      'Microsoft.KeyVault/managedHSMs/write'
      'Microsoft.KeyVault/managedHSMs/delete'
      'Microsoft.Insights/diagnosticSettings/write'
      'Microsoft.Insights/diagnosticSettings/delete'
      'Microsoft.EventGrid/eventSubscriptions/write'
      'Microsoft.EventGrid/eventSubscriptions/delete'
      'Microsoft.EventGrid/systemTopics/delete'
      'Microsoft.EventGrid/systemTopics/eventSubscriptions/write'
      'Microsoft.EventGrid/systemTopics/eventSubscriptions/delete'
    ]
  }
  {
    ending: 'resourceChanged2'
    operations: [
      'Microsoft.Network/networkSecurityPerimeters/resourceAssociations/write'
      'Microsoft.Network/networkSecurityPerimeters/resourceAssociations/delete'
      // From src/key-users/key-user-types.ts, by `npm run infra`.
      ...loadJsonContent('key-users.json', '.write')
    ]
  }
]

@export()
@description('Which event of Key Vault goes to which function of the app.')
var eventFunctions = [
  {
    functionName: 'keyNewVersionCreated'
    eventType: 'Microsoft.KeyVault.KeyNewVersionCreated'
  }
  {
    functionName: 'keyNearExpiry'
    eventType: 'Microsoft.KeyVault.KeyNearExpiry'
  }
  {
    functionName: 'keyExpired'
    eventType: 'Microsoft.KeyVault.KeyExpired'
  }
]

@export()
@description('Names this app in a subscription where roles are defined: by its environment, and elsewhere than in its own subscription by that too. Others may have an environment of the same name, with vaults or accounts in one subscription with ours.')
func instanceIn(subscriptionId string, appSubscriptionId string, environmentName string) string =>
  toLower(subscriptionId) == toLower(appSubscriptionId)
    ? environmentName
    : '${toLower(appSubscriptionId)}/${environmentName}'

@export()
@description('Id (a GUID) of one of the custom roles. A role definition belongs to one subscription and one app, so that two apps never share, and never delete, each other\'s roles.')
func roleGuid(subscriptionId string, instance string, role string) string =>
  guid(subscriptionId, instance, 'cmk-autopilot', role)

@export()
@description('Subscription in the id of a resource or resource group, lower case.')
func subscriptionOf(resourceId string) string => toLower(split(resourceId, '/')[2])

@export()
@description('Resource group in the id of a resource or resource group.')
func resourceGroupOf(resourceId string) string => split(resourceId, '/')[4]

@export()
@description('Name of a resource: the last segment of its id.')
func nameOf(resourceId string) string => last(split(resourceId, '/'))

@export()
@description('Id of the system topic that a vault gets where it has none.')
func newTopicId(vaultId string) string =>
  '/subscriptions/${subscriptionOf(vaultId)}/resourceGroups/${resourceGroupOf(vaultId)}/providers/Microsoft.EventGrid/systemTopics/evgt-${nameOf(vaultId)}'

@export()
@description('Id of the system topic of a vault: the given one, if there is one. One that the templates made is spelled as they do, since names of role assignments are made of its id letter by letter.')
func topicIdOf(vaultId string, given string) string =>
  empty(given) || toLower(given) == toLower(newTopicId(vaultId)) ? newTopicId(vaultId) : given

@export()
@description('Whether a resource id of CMK_VAULTS names a Managed HSM, and not a key vault.')
func isManagedHsm(resourceId string) bool => contains(toLower(resourceId), '/managedhsms/')
