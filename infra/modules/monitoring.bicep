// Logs and telemetry. Application Insights takes no instrumentation key alone (DisableLocalAuth): who writes, signs in.

import { tagSet } from '../names.bicep'

param location string
param tags tagSet
param workspaceName string
param insightsName string
param retentionDays int
@description('Whether telemetry comes by a private link alone (private-monitoring.bicep). Queries stay open to those who sign in.')
param privateIngestion bool

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    publicNetworkAccessForIngestion: privateIngestion ? 'Disabled' : 'Enabled'
    features: {
      disableLocalAuth: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
    publicNetworkAccessForIngestion: privateIngestion ? 'Disabled' : 'Enabled'
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: workspace
  name: 'cmk-autopilot'
  properties: {
    workspaceId: workspace.id
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

output workspaceId string = workspace.id
@description('What queries name it by.')
output customerId string = workspace.properties.customerId
output insightsId string = insights.id
output connectionString string = insights.properties.ConnectionString
@description('Since when there is a workspace: what is said of the past before that means nothing.')
output createdDate string = workspace.properties.createdDate
