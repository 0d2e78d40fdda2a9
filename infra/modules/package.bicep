// Deploys a released package, for deployments that have no tool to upload one: the deployment service of the app fetches it.

import { nameOf } from '../names.bicep'

@description('ARM id of the app, in the resource group of this deployment.')
param functionAppId string
@description('Address of the package: a zip that the app\'s deployment service can fetch without a sign-in.')
param packageUri string

resource app 'Microsoft.Web/sites@2024-04-01' existing = {
  name: nameOf(functionAppId)
}

resource package 'Microsoft.Web/sites/extensions@2024-04-01' = {
  parent: app
  name: 'onedeploy'
  #disable-next-line BCP187 // the type knows MSDeploy alone
  properties: {
    packageUri: packageUri
    // The package is one bundled file: nothing is to be built.
    remoteBuild: false
  }
}
