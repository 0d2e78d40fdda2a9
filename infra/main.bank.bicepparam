// What a bank asks for, in place of main.bicepparam: CMK_PROFILE=bank (docs/how-to/deploy-azd.md, "What a bank asks for"). What is not set
// here is read from the environment, as there.

using 'main.bicep'

var vaults = filter(split(replace(readEnvironmentVariable('CMK_VAULTS'), ' ', ','), ','), id => !empty(id))
var subscriptions = filter(split(replace(readEnvironmentVariable('CMK_SUBSCRIPTIONS', ''), ' ', ','), ','), id => !empty(id))
var groups = filter(split(replace(readEnvironmentVariable('CMK_STORAGE_RESOURCE_GROUPS', ''), ' ', ','), ','), id => !empty(id))
var emails = filter(split(replace(readEnvironmentVariable('CMK_ALERT_EMAILS', ''), ' ', ','), ','), address => !empty(address))
var actionGroups = filter(split(replace(readEnvironmentVariable('CMK_ACTION_GROUPS', ''), ' ', ','), ','), id => !empty(id))
var callers = filter(split(replace(readEnvironmentVariable('CMK_ALLOWED_CALLERS'), ' ', ','), ','), range => !empty(range))
var clients = filter(split(replace(readEnvironmentVariable('CMK_API_CLIENTS', ''), ' ', ','), ','), id => !empty(id))

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param managedVaults = vaults
param storageSubscriptions = subscriptions
param storageResourceGroups = groups
param apiClientId = readEnvironmentVariable('CMK_API_CLIENT_ID', '')
param platformAuthentication = bool(readEnvironmentVariable('CMK_PLATFORM_AUTHENTICATION', 'false'))
param apiClients = clients
param alertEmails = emails
param actionGroupIds = actionGroups
// An empty list would open the app to everyone.
param allowedCallers = empty(callers) ? [fail('CMK_ALLOWED_CALLERS names no range: the bank profile opens the app to named ranges alone.')] : callers
param privateNetwork = true
param vaultPrivateEndpoints = true
param appSubnetId = readEnvironmentVariable('CMK_APP_SUBNET_ID', '')
param endpointSubnetId = readEnvironmentVariable('CMK_ENDPOINT_SUBNET_ID', '')
param networkSecurityGroupId = readEnvironmentVariable('CMK_NETWORK_SECURITY_GROUP_ID', '')
param privateDnsZones = bool(readEnvironmentVariable('CMK_PRIVATE_DNS_ZONES', 'true'))
var firewall = readEnvironmentVariable('CMK_EGRESS_FIREWALL_ADDRESS', '')
param egressFirewallAddress = firewall
// One way out that is known: the firewall that is named, else one address.
param natGateway = empty(firewall)
param privateMonitoring = true
param siteDiagnostics = true
param logStorageReads = true
param lockGroup = true
param hostStorageByContainer = true
param separateAuditStorage = true
// Found before each deployment (azure.yaml): {"<id of the vault>":"<id of its system topic>"}
param systemTopics = json(readEnvironmentVariable('CMK_SYSTEM_TOPICS', '{}'))
// Another team deploys rights.bicep.
param assignRights = false
param allowEffectProbe = bool(readEnvironmentVariable('CMK_ALLOW_EFFECT_PROBE', 'false'))
param allowBlobProbe = bool(readEnvironmentVariable('CMK_ALLOW_BLOB_PROBE', 'false'))
param allowKeyRecovery = bool(readEnvironmentVariable('CMK_ALLOW_KEY_RECOVERY', 'false'))
param allowEventRepair = bool(readEnvironmentVariable('CMK_ALLOW_EVENT_REPAIR', 'true'))
param watchChanges = bool(readEnvironmentVariable('CMK_WATCH_CHANGES', 'true'))
param allowIdentityAssignment = bool(readEnvironmentVariable('CMK_ALLOW_IDENTITY_ASSIGNMENT', 'false'))
// Rights that Azure has named in LinkedAuthorizationFailed about dead letters
param deadLetterActions = any(filter(split(replace(readEnvironmentVariable('CMK_DEAD_LETTER_ACTIONS', ''), ' ', ','), ','), action => !empty(action)))
param vaultDiagnostics = true
param closedStorage = bool(readEnvironmentVariable('CMK_CLOSED_STORAGE', 'false'))
param tablesUnderAccountKey = bool(readEnvironmentVariable('CMK_TABLES_UNDER_ACCOUNT_KEY', 'false'))
param storageSku = readEnvironmentVariable('CMK_STORAGE_SKU', 'Standard_ZRS')
param nodeVersion = readEnvironmentVariable('CMK_NODE_VERSION', '24')
param alwaysReadyHttp = int(readEnvironmentVariable('CMK_ALWAYS_READY_HTTP', '1'))
param alwaysReadyEvents = int(readEnvironmentVariable('CMK_ALWAYS_READY_EVENTS', '0'))
param auditRetentionDays = int(readEnvironmentVariable('CMK_AUDIT_RETENTION_DAYS', '365'))
param auditPolicyLocked = bool(readEnvironmentVariable('CMK_AUDIT_POLICY_LOCKED', 'false'))
// Settings of the app, as one line of JSON: {"CMK_DUAL_CONTROL":"on","CMK_CANARY":"3"}
param settings = json(readEnvironmentVariable('CMK_SETTINGS', '{}'))
// Resource id of the secret that says whom to notify: docs/how-to/notifications.md
param notifyFrom = readEnvironmentVariable('CMK_NOTIFY_FROM', '')
param logRetentionDays = 365
