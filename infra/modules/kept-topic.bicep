// What others gave a system topic that is there already. Azure takes a system topic as a whole: written without these, it would
// lose them.

import { tagSet } from '../names.bicep'

param name string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: name
}

output tags tagSet = topic.?tags ?? {}
@description('Ids of the user-assigned identities.')
output identities string[] = map(items(topic.?identity.?userAssignedIdentities ?? {}), one => one.key)
