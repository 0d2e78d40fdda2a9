import type { World } from '../../../local/azure/world.ts';
import type { SceneOptions } from './more-recordings.ts';

/** Names the one snapshot that there is, or was. */
function snapshotHeader(): (world: World) => Record<string, string> {
  let known = '';
  return (world) => {
    const [share] = [...world.storageAccounts.values()].flatMap((account) => [...account.fileShares.values()]);
    known = [...(share?.snapshots?.keys() ?? [])][0] ?? known;
    return { 'x-ms-snapshot': known };
  };
}

const snapshot = snapshotHeader();

/** A topic of somebody else that was in the recorded group. */
function addOtherTopic(world: World): void {
  const group = '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/DevExpRg/providers';
  const id = `${group}/Microsoft.EventGrid/systemTopics/testTag123`;
  world.systemTopics.set(id.toLowerCase(), {
    id,
    name: 'testTag123',
    location: 'centraluseuap',
    tags: { key1: '2022-05-24T18:14:22.242Z', key2: '2023-11-14T18:14:22.211Z' },
    source: `${group}/Microsoft.Eventhub/Namespaces/devexpeh`,
    topicType: 'Microsoft.Eventhub.Namespaces',
    identity: { type: 'None' },
  });
}

/** What a recording does not show of the run that it is of. */
export const sceneOptions: Record<string, SceneOptions> = {
  create_system_topic: { before: { 0: addOtherTopic } },
  keyvault_softdelete: { settings: { keyDeletionMs: 12_000 } },
  storage_share_rm_soft_delete: { account: { kind: 'Storage', skuName: 'Standard_LRS' } },
  storage_share_rm_with_NFS: { account: { kind: 'FileStorage', skuName: 'Premium_LRS' } },
  storage_share_rm_with_snapshot: { headers: { 2: snapshot, 5: snapshot, 7: snapshot } },
};

/** Pairs that are answered otherwise, by index, each with its reason. `local/README.md` tells the same. */
export const knownDifferences: Record<string, Record<number, string>> = {
  keyvault_key: {
    40: 'the recorded standard vault took an HSM-protected key; that needs the premium SKU, as documented',
    42: 'the recorded standard vault took an HSM-protected key; that needs the premium SKU, as documented',
  },
  keyvault_mgmt_2021: {
    5: 'the vaults of a group came with a link to an empty last page; a list ends with its last item here',
    6: 'the vaults of a group came with a link to an empty last page; a list ends with its last item here',
  },
  rg_query_error: {
    0: "Resource Graph's parser says where it stopped; here the refusal is the same but for that",
  },
  storage_account_encryption_scope: { 3: 'the transcript leaves the endpoint of static websites out' },
  user_assigned_identity: { 4: 'in 2021 a created key did not yet show recoverableDays' },
};
