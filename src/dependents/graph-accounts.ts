import { waveOfTags } from '../fleet/read-use.ts';
import type { AccountsOfKey } from '../fleet/unindexed-accounts.ts';
import type { ResourceGraph } from './resource-graph-client.ts';
import { seenUse } from './resource-graph-query.ts';

const TYPE = 'microsoft.storage/storageaccounts';

/** Storage accounts that use a key themselves, by one query of Resource Graph over all that the identity sees. */
export function graphAccounts(graph: ResourceGraph): AccountsOfKey {
  return {
    async *using(key, signal) {
      const host = key.vault.uri.slice('https://'.length);
      const query = [
        'resources',
        `where type =~ '${TYPE}'`,
        `where tostring(properties) contains '${host}'`,
        `where tostring(properties) contains '${key.name}'`,
        'project id, name, type, location, subscriptionId, tags, properties',
        'order by id asc',
      ].join(' | ');
      for await (const { id, location, tags = {}, properties } of graph.query(query, signal)) {
        const use = seenUse(properties, key);
        if (use) yield { id, location, ...waveOfTags(tags), ...use };
      }
    },
  };
}
