// Parameters of rights.bicep, from the same environment as those of main.bicep, with the outputs of that in it: `azd env get-values`.

using 'rights.bicep'

var vaults = filter(split(replace(readEnvironmentVariable('CMK_VAULTS'), ' ', ','), ','), id => !empty(id))
var subscriptions = filter(split(replace(readEnvironmentVariable('CMK_SUBSCRIPTIONS', ''), ' ', ','), ','), id => !empty(id))
var groups = filter(split(replace(readEnvironmentVariable('CMK_STORAGE_RESOURCE_GROUPS', ''), ' ', ','), ','), id => !empty(id))

// What main.bank.bicepparam sets.
var bank = readEnvironmentVariable('CMK_PROFILE', '') == 'bank'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param appPrincipalId = readEnvironmentVariable('CMK_APP_PRINCIPAL_ID')
param functionAppId = readEnvironmentVariable('CMK_FUNCTION_APP_ID')
param storageAccountId = readEnvironmentVariable('CMK_STORAGE_ACCOUNT_ID')
param workStorageAccountId = readEnvironmentVariable('CMK_WORK_STORAGE_ACCOUNT_ID')
param auditStorageAccountId = readEnvironmentVariable('CMK_AUDIT_STORAGE_ACCOUNT_ID', '')
param insightsId = readEnvironmentVariable('CMK_INSIGHTS_ID')
param workspaceId = readEnvironmentVariable('CMK_WORKSPACE_ID')
param managedVaults = vaults
param storageSubscriptions = subscriptions
param storageResourceGroups = groups
param systemTopics = json(readEnvironmentVariable('CMK_SYSTEM_TOPICS', '{}'))
param notifyFrom = readEnvironmentVariable('CMK_NOTIFY_FROM', '')
param hostStorageByContainer = bank || bool(readEnvironmentVariable('CMK_HOST_STORAGE_BY_CONTAINER', 'false'))
param allowKeyRecovery = bool(readEnvironmentVariable('CMK_ALLOW_KEY_RECOVERY', 'false'))
param allowEventRepair = bool(readEnvironmentVariable('CMK_ALLOW_EVENT_REPAIR', 'true'))
param watchChanges = bool(readEnvironmentVariable('CMK_WATCH_CHANGES', 'true'))
param allowIdentityAssignment = bool(readEnvironmentVariable('CMK_ALLOW_IDENTITY_ASSIGNMENT', 'false'))
param allowEffectProbe = bool(readEnvironmentVariable('CMK_ALLOW_EFFECT_PROBE', 'false'))
param allowBlobProbe = bool(readEnvironmentVariable('CMK_ALLOW_BLOB_PROBE', 'false'))
param vaultDiagnostics = bank || bool(readEnvironmentVariable('CMK_VAULT_DIAGNOSTICS', 'false'))
param deadLetterActions = any(filter(split(replace(readEnvironmentVariable('CMK_DEAD_LETTER_ACTIONS', ''), ' ', ','), ','), action => !empty(action)))
param lockGroup = bank || bool(readEnvironmentVariable('CMK_LOCK_GROUP', 'false'))
