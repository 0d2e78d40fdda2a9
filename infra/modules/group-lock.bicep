// Keeps the resource group of the app from being deleted, and everything in it: audit trail, index, app.

resource lock 'Microsoft.Authorization/locks@2020-05-01' = {
  name: 'cmk-autopilot'
  properties: {
    level: 'CanNotDelete'
    notes: 'CMK Autopilot: its audit trail and what it restores keys with are here. docs/how-to/uninstall.md says how it is taken away.'
  }
}
