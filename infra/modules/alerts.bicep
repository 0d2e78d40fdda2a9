// Alert rules over the app's structured records. Every record is one line of JSON with a reason code (src/errors/reasons.ts),
// and a test keeps the codes named here and there in step.

import { containerNames, tagSet } from '../names.bicep'

param location string
param tags tagSet
param environmentName string
param workspaceId string
@description('Existing action groups to call.')
param actionGroupIds string[]
@description('Addresses to write to; an action group is made for them.')
param emails string[]
@description('Hours after which a key that is still revoked raises an alert.')
@minValue(1)
@maxValue(24)
param revocationOpenHours int
@description('Revocations within an hour above which an alert is raised: a script, or a caller who is not to be trusted.')
@minValue(1)
param revocationsPerHour int
param enabled bool
@description('Principal of the identity of the app, as which its deployment service writes the package.')
param appPrincipalId string
@description('When the workspace was made: until a while after it, nothing is silent, and rights are still spreading.')
param since string

resource mail 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(emails)) {
  name: 'ag-cmk-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'cmk-auto'
    enabled: true
    emailReceivers: map(range(0, length(emails)), index => {
      name: 'mail-${index}'
      emailAddress: emails[index]
      useCommonAlertSchema: true
    })
  }
}

var groups = concat(actionGroupIds, empty(emails) ? [] : [mail.id])

// The records: a line that is not JSON has no reason and falls out. `ran`: the function; the record itself says it, since the
// host's own columns (OperationName, OperationId) differ with how it sends its telemetry (host.json: telemetryMode).
var lines = 'AppTraces | extend r = parse_json(Message) | extend reason = tostring(r.reason), key = tostring(r.key), account = tostring(r.account), ran = coalesce(tostring(r["function"]), OperationName)'
var records = '${lines} | where isnotempty(reason)'

// Azure Monitor disables a rule whose query has failed for a week, and a query fails that names a table without rows. The
// host writes AppTraces as long as it runs; any other table may be missing, so a union with one is fuzzy and has AppTraces too.
var fuzzy = 'union isfuzzy=true'
var alwaysThere = '(AppTraces | where false | project TimeGenerated, writer = "")'

// Runs that failed, by the line that the host writes of each (Azure WebJobs SDK, FunctionInstanceLogger): a function of a queue
// sends no request under OpenTelemetry (azure-sdk-for-net#49793). A line that carries an exception goes into AppExceptions, with
// the exception's message in place of its own words (Azure.Monitor.OpenTelemetry.Exporter, LogsHelper).
var failedRuns = '(AppTraces | where Message startswith "Executed \'Functions." and Message has "Failed" | extend ran = extract(@"^Executed \'Functions\\.(\\w+)\'", 1, Message)), (AppExceptions | where tostring(Properties.EventName) == "FunctionCompleted" | extend ran = extract(@"(\\w+)$", 1, tostring(Properties.functionName)))'

// What says so itself, and the length of the poison queues as the drift check finds it.
var poisoned = '"Poisoned", "PoisonMessages"'
var needsPerson = '"ManualRotation", "ImportedKey", "KeyDisabled", "RotationRefused", "KeyExpired", "StillOpen", "RevokedVersionEnabled", "RevocationRecordLost"'
var heldRotations = '"RotationStuck", "CanaryFailed", "WaveFailed"'
var missingRights = '"MissingPermission", "VaultUnreadable", "SubscriptionUnreadable", "IdentityHasNoAccess", "IdentityAssignmentDenied"'

// A time that cannot be read mutes nothing: then it is long ago.
var begun = 'coalesce(todatetime("${since}"), datetime(2026-01-01))'

// Rights take minutes to spread in Azure: what is refused in the first two hours is no news.
var settled = 'TimeGenerated > ${begun} + 2h'

// `window`: longer than `frequency` by what logs take to arrive, three to ten minutes, so that no record falls between two
// evaluations. `mute`: how long a rule that keeps firing sends no further mail; never shorter than the window, in which one
// record is found several times. `by`: the columns whose values have an alert each, so
// that one key that is muted hides no other.
var rules = [
  {
    name: 'poisoned'
    title: 'Work was given up'
    description: 'A key, an account or a notification was given up after the last try, or the drift check found messages in a poison queue. The record says why, or how many. Repair what it names, then replay the queue that it names: cmk admin replay key-work.'
    severity: 1
    frequency: 'PT5M'
    window: 'PT30M'
    // The second: what the host moved, in its own words (Azure WebJobs SDK, QueueProcessor), as after a process was ended five times.
    query: '${lines} | where reason in (${poisoned}) or (Message has "MaxDequeueCount" and Message has "-poison")'
    mute: 'PT1H'
    by: ['account', 'key']
    threshold: 0
  }
  {
    name: 'function-failed'
    title: 'Functions of the app fail'
    description: 'Five failures or more within half an hour. A failed message is tried again by itself; many failures mean that something is wrong.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    query: '${fuzzy} ${failedRuns}, (AppRequests | extend ran = OperationName | where Success == false and ResultCode !startswith "4")'
    mute: 'PT6H'
    by: ['ran']
    threshold: 4
  }
  {
    name: 'revocation-started'
    title: 'A key was revoked'
    description: 'A caller cut off the data under a key. If you do not know the caller, act now.'
    severity: 1
    frequency: 'PT5M'
    window: 'PT30M'
    // Not from the requests: their address comes without its query, so that a dry run looks like a revocation there.
    query: '${records} | where reason in ("Revoked", "RevocationIncomplete", "KeptRevoked")'
    mute: 'PT1H'
    by: ['key']
    threshold: 0
  }
  {
    name: 'many-revocations'
    title: 'Many keys were revoked'
    description: 'More than ${revocationsPerHour} revocations within an hour, or as many versions that the app disabled by itself. If it is no emergency, it is one: take the role from the caller; where the app did it, find out who writes its queues and the tags of the keys.'
    severity: 1
    frequency: 'PT15M'
    window: 'PT1H'
    query: '${records} | where (reason in ("Revoked", "RevocationIncomplete") and ran == "revokeKey") or reason == "KeptRevoked"'
    mute: 'PT1H'
    by: []
    threshold: revocationsPerHour
  }
  {
    name: 'restored'
    title: 'A key was restored'
    description: 'A caller restored the data under a key. If you do not know the caller, revoke the key again, and find out who it was.'
    severity: 2
    frequency: 'PT5M'
    window: 'PT30M'
    query: '${records} | where reason in ("Restored", "RestoreIncomplete", "RestoreFinished")'
    mute: 'PT1H'
    by: ['key']
    threshold: 0
  }
  {
    name: 'restore-refused'
    title: 'A restore was refused: it takes a second person'
    description: 'The person who revoked a key tried to restore it, or an application did. The record names the caller.'
    severity: 2
    frequency: 'PT5M'
    window: 'PT30M'
    query: '${records} | where reason == "CallRefused" and tostring(r.because) in ("SecondPersonNeeded", "PersonNeeded")'
    mute: 'PT1H'
    by: ['key']
    threshold: 0
  }
  {
    name: 'break-glass-refused'
    title: 'A caller without the right called break-glass'
    description: 'A call to revoke or restore was refused: no role, a role that does not reach the key, or a token for another client or another API. The record has the caller, and the address.'
    severity: 3
    frequency: 'PT15M'
    window: 'PT30M'
    query: '${records} | where reason == "CallRefused" and ran in ("revokeKey", "restoreKey") and tostring(r.because) in ("RoleMissing", "KeyOutOfReach", "ClientNotAllowed", "ScopeMissing", "TokenKindUnclear")'
    mute: 'PT6H'
    by: ['key']
    threshold: 0
  }
  {
    name: 'audit-trail-broken'
    title: 'The audit trail is broken'
    description: 'Records of the audit trail were changed, removed or put in since the last check. The record says where; cmk audit verify shows everything.'
    severity: 1
    frequency: 'PT15M'
    window: 'PT30M'
    query: '${records} | where reason == "AuditTrailBroken"'
    mute: 'P1D'
    by: ['reason']
    threshold: 0
  }
  {
    name: 'package-written'
    title: 'The package of the app was written'
    description: 'A writer of the container ${containerNames.package} decides what the app runs. A deployment of yours is one write, as the identity of the app; if there was none, or another principal wrote it, act as if the app were taken over: docs/how-to/deploy-azd.md, "What a bank asks for".'
    severity: 1
    frequency: 'PT5M'
    window: 'PT30M'
    query: '${fuzzy} ${alwaysThere}, (StorageBlobLogs | where ingestion_time() > ago(10m) and Category in ("StorageWrite", "StorageDelete") and ObjectKey contains "/${containerNames.package}" and StatusText == "Success" | extend writer = iff(RequesterObjectId == "${appPrincipalId}", "the app, or its deployment service", coalesce(RequesterObjectId, AuthenticationType)))'
    mute: 'PT1H'
    by: ['writer']
    threshold: 0
  }
  {
    name: 'queue-written'
    title: 'A principal other than the app put messages into its queues'
    description: 'A message causes work and decides nothing (docs/explanation/trust.md). If no operator ran cmk admin replay, pause or re-key, find out who holds a right on the queues.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    query: '${fuzzy} ${alwaysThere}, (StorageQueueLogs | where OperationName == "PutMessage" and StatusText == "Success" and RequesterObjectId != "${appPrincipalId}" | extend writer = coalesce(RequesterObjectId, AuthenticationType))'
    mute: 'PT1H'
    by: ['writer']
    threshold: 0
  }
  {
    name: 'revocation-open'
    title: 'A key is still revoked'
    description: 'A revocation has been open for longer than ${revocationOpenHours} hours: the data under the key cannot be read. Restore it, or acknowledge that it is meant.'
    severity: 2
    frequency: 'PT1H'
    window: 'P2D'
    query: '${records} | where reason == "RevocationOpen" | summarize begun = min(TimeGenerated), seen = max(TimeGenerated) by key | where seen > ago(25h) and seen - begun > ${revocationOpenHours}h'
    mute: 'P1D'
    by: ['key']
    threshold: 0
  }
  {
    name: 'key-needs-a-person'
    title: 'A key needs a person'
    description: 'A key nears its expiry, or has expired, and the app may not or cannot rotate it (tagged to be rotated by hand, imported, disabled, refused by Key Vault), or a version of a revoked key is open.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    query: '${records} | where reason in (${needsPerson})'
    mute: 'P1D'
    by: ['key', 'reason']
    threshold: 0
  }
  {
    name: 'rotation-held'
    title: 'A rotation is stuck'
    description: 'Accounts are not on the new version of their key and none has moved for a quarter of an hour, or the first ones (CMK_CANARY) or a wave failed and the others are held. See cmk rotation list. After a repair it continues by itself; after an accepted failure, with cmk rotation resume.'
    severity: 2
    frequency: 'PT5M'
    window: 'PT30M'
    query: '${records} | where reason in (${heldRotations})'
    mute: 'P1D'
    by: ['key', 'reason']
    threshold: 0
  }
  {
    name: 'missing-rights'
    title: 'The app lacks a right'
    description: 'Azure refused the app, or an account\'s identity. Compare infra/modules/roles.bicep, and deploy again.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    query: '${records} | where reason in (${missingRights}) and SeverityLevel >= 3 and ${settled}'
    mute: 'P1D'
    by: ['reason']
    threshold: 0
  }
  {
    name: 'error-recorded'
    title: 'The app recorded an error'
    description: 'An error that no other alert covers: a setting that is wrong, a record that could not be written to the audit trail, file shares that do not show what a revocation or a restore was meant to bring about, a rotation that stopped half-way. The record says what, and what to do.'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    // An operator who starts a check by hand gets its findings in the answer.
    query: '${records} | where SeverityLevel >= 3 and ran !in ("driftCheck", "runDriftCheck") and reason !in (${poisoned}, ${needsPerson}, ${heldRotations}, ${missingRights})'
    mute: 'PT6H'
    by: ['reason', 'key']
    threshold: 0
  }
  {
    name: 'drift-errors'
    title: 'The drift check reports errors'
    description: 'An account, a key or a vault is not as it has to be. The report in the container cmk-drift says what, and how to fix it.'
    severity: 2
    frequency: 'PT1H'
    window: 'PT2H'
    query: '${fuzzy} (${records} | where ran == "driftCheck" and SeverityLevel >= 3), (${fuzzy} ${failedRuns} | where ran == "driftCheck" | extend reason = "CheckFailed") | where ${settled}'
    mute: 'P1D'
    by: ['reason']
    threshold: 0
  }
]

resource queryRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'cmk-${environmentName}-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.title
      description: rule.description
      severity: rule.severity
      enabled: enabled
      scopes: [workspaceId]
      evaluationFrequency: rule.frequency
      windowSize: rule.window
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            dimensions: map(rule.by, column => {
              name: column
              operator: 'Include'
              values: ['*']
            })
            operator: 'GreaterThan'
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: groups
      }
      // Azure takes the one or the other: what resolves itself cannot be muted.
      autoMitigate: false
      muteActionsDuration: rule.mute
      // AppTraces is made with the first telemetry, after this deployment.
      skipQueryValidation: true
    }
  }
]

// A check that does not run reports no drift. Its silence is an alert of its own.
resource silent 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'cmk-${environmentName}-drift-silent'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'The drift check does not run'
    description: 'No drift check has ended well for two days.'
    severity: 2
    enabled: enabled
    scopes: [workspaceId]
    evaluationFrequency: 'PT6H'
    windowSize: 'P2D'
    criteria: {
      allOf: [
        {
          // Not before there was an app for two days: until then it has not been silent for so long.
          query: '${records} | where reason == "DriftChecked" and ran == "driftCheck" | summarize runs = count() | where runs == 0 and now() > ${begun} + 2d'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: groups
    }
    autoMitigate: true
    skipQueryValidation: true
  }
}

// A rule that Azure Monitor has disabled is silent for ever. The activity log says so (Azure Monitor, "Troubleshoot log search
// alerts"); resource health would not of rules that run less often than every 15 minutes. An alert on it costs nothing.
resource disabledRules 'Microsoft.Insights/activityLogAlerts@2020-10-01' = {
  name: 'cmk-${environmentName}-alert-disabled'
  location: 'global'
  tags: tags
  properties: {
    description: 'Azure Monitor disabled an alert rule of the app, because its query had failed for a week. Deploy again, which enables it. If it fails again, run its query in the workspace.'
    enabled: enabled
    scopes: [resourceGroup().id]
    condition: {
      allOf: [
        {
          field: 'category'
          equals: 'Administrative'
        }
        {
          field: 'operationName'
          equals: 'Microsoft.Insights/ScheduledQueryRules/disable/action'
        }
      ]
    }
    actions: {
      actionGroups: map(groups, id => {
        actionGroupId: id
      })
    }
  }
}

output actionGroupIds string[] = groups
