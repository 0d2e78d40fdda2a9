// The function app on a Flex Consumption plan: no instance runs, and none is paid, while there is nothing to do.

import { eventFunctions, tagSet, settingSet } from '../names.bicep'

param location string
param tags tagSet
param name string
param planName string
param identityId string
param packageContainerUrl string
@description('Major version of Node.js.')
param nodeVersion string
param insightsConnectionString string
param identityClientId string
@description('Settings of the app, by name.')
param settings settingSet
@description('Application (client) id of the app registration that callers ask a token for; empty if there is none yet.')
param apiClientId string
@description('Whether the platform checks tokens too, before the app does.')
param platformAuthentication bool
@description('Application (client) ids that the platform takes tokens from, beside the Azure CLI.')
param apiClients string[]
param tenantId string
param maximumInstanceCount int
param instanceMemoryMB int
@description('Instances kept warm for the HTTP functions, so that a revocation never waits for a cold start.')
param alwaysReadyHttp int
@description('Instances kept warm for the function that takes the event of a new key version.')
param alwaysReadyEvents int
@description('Subnet for outgoing calls; empty for none.')
param subnetId string
@description('Workspace for the logs of the site; empty for none.')
param workspaceId string
@description('Address ranges that may call the app, beside Event Grid; empty for everyone.')
param allowedCallers string[]

var callerRules = map(range(0, length(allowedCallers)), index => {
  name: 'caller-${index}'
  action: 'Allow'
  priority: 200 + index
  ipAddress: allowedCallers[index]
})

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  // azd finds the app of the service "api" by this tag.
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      runtime: {
        name: 'node'
        version: nodeVersion
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
        alwaysReady: filter(
          [
            {
              name: 'http'
              instanceCount: alwaysReadyHttp
            }
            {
              // A function that is not called by HTTP has instances of its own.
              name: 'function:${eventFunctions[0].functionName}'
              instanceCount: alwaysReadyEvents
            }
          ],
          group => group.instanceCount != 0
        )
        triggers: {
          http: {
            // More calls at a time go to another instance, so that no flood fills one event loop.
            perInstanceConcurrency: 100
          }
        }
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
    }
    siteConfig: {
      // No ftpsState: Flex Consumption has no FTP, and refuses the property (error 51021).
      minTlsVersion: '1.2'
      http20Enabled: true
      ipSecurityRestrictionsDefaultAction: empty(allowedCallers) ? 'Allow' : 'Deny'
      // The deployment service takes the package: it is closed to the same callers, and Event Grid has no business there.
      scmIpSecurityRestrictionsDefaultAction: empty(allowedCallers) ? 'Allow' : 'Deny'
      scmIpSecurityRestrictionsUseMain: false
      scmIpSecurityRestrictions: callerRules
      ipSecurityRestrictions: empty(allowedCallers)
        ? []
        : concat(
            [
              {
                name: 'event-grid'
                description: 'Events of Key Vault'
                action: 'Allow'
                priority: 100
                tag: 'ServiceTag'
                ipAddress: 'AzureEventGrid'
              }
            ],
            callerRules
          )
    }
  }
}

// Basic authentication is a shared secret: off for FTP and for deployment. This and what follows is written one after the
// other: App Service answers 409 to two changes of a site at a time.
resource noBasicFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
  dependsOn: [
    appSettings
  ]
}

resource noBasicScm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
  dependsOn: [
    noBasicFtp
  ]
}

resource appSettings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(
    {
      APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
      // The root is the app's own page, and not the one that the Functions host would show.
      AzureWebJobsDisableHomepage: 'true'
      // The host would take bodies of 104,857,600 bytes, from callers without a token too, and holds each in memory before the
      // app is asked. An event, or a batch of them, has 1 MiB at most; what the app itself reads is far less.
      FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '1200000'
      // The connection string says where; this says who: telemetry is written with the app's identity.
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
      // The host would send five traces a second at most, and keep back the log records of those that it leaves out
      // (Azure.Monitor.OpenTelemetry.Exporter: RateLimitedSampler, trace-based sampling of logs): alerts go by these records.
      OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage'
      OTEL_TRACES_SAMPLER_ARG: '1'
      // The app's own metrics every five minutes, as fine as the workbook shows them: each is a row that is billed.
      OTEL_METRIC_EXPORT_INTERVAL: '300000'
      // No languageWorkers__node__arguments: with any, the host throws away the warm worker of a new instance and starts
      // another. V8 goes by the memory of the instance by itself (docs/explanation/scale.md, "Memory").
    },
    settings
  )
}

// The app checks each token itself, signature and role, and never believes a header: so the platform's own check is off
// unless asked for. It answers without a reason, and would be one thing more that a revocation depends on.
var azureCli = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
resource authentication 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: empty(apiClientId) || !platformAuthentication
    ? {
        platform: {
          enabled: false
          runtimeVersion: '~1'
        }
        globalValidation: {
          requireAuthentication: false
          unauthenticatedClientAction: 'AllowAnonymous'
        }
      }
    : {
        platform: {
          enabled: true
          runtimeVersion: '~1'
        }
        globalValidation: {
          requireAuthentication: true
          unauthenticatedClientAction: 'Return401'
          excludedPaths: [
            // Event Grid has no token; its deliveries carry the system key of the Functions host.
            '/runtime/webhooks/eventgrid'
            '/runtime/webhooks/*'
            // The description of the API, which says how to call it.
            '/api/openapi.json'
          ]
        }
        httpSettings: {
          requireHttps: true
        }
        identityProviders: {
          azureActiveDirectory: {
            enabled: true
            registration: {
              clientId: apiClientId
              openIdIssuer: '${environment().authentication.loginEndpoint}${tenantId}/v2.0'
            }
            validation: {
              allowedAudiences: [
                apiClientId
                'api://${apiClientId}'
              ]
              // Never leave this out: Azure then keeps an empty list, and has been seen to refuse every good token with 403
              // (github.com/pnp/Microsoft365-Analytics-Insights/pull/264).
              defaultAuthorizationPolicy: {
                allowedPrincipals: {}
                allowedApplications: union(
                  [
                    apiClientId
                    azureCli
                  ],
                  apiClients
                )
              }
            }
          }
        }
        login: {
          tokenStore: {
            enabled: false
          }
        }
      }
  dependsOn: [
    noBasicScm
  ]
}

// By the group: which categories a Flex Consumption site has is not documented, and Azure refuses one that it has not.
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  scope: app
  name: 'cmk-autopilot'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
  }
}

output id string = app.id
output name string = app.name
output hostName string = app.properties.defaultHostName
