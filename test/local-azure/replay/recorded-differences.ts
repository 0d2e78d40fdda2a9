import { skipToken } from '../../../local/azure/resource-graph/routes.ts';
import type { OtherResource, World } from '../../../local/azure/world.ts';
import { readRecording, type SceneOptions } from './recording.ts';

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

/** A topic of another owner that was in the recorded group. */
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

/** The resources that a recorded query found, where it found them among all that it counted. */
function addFound(name: string): (world: World, names: Map<string, string>) => void {
  return (world, names) => {
    const [pair] = readRecording(name).pairs;
    if (!pair) throw new Error(`The recording ${name} is empty.`);

    const { subscriptions, options } = pair.body as { subscriptions: string[]; options: Record<string, string> };
    const { totalRecords, data } = pair.response as { totalRecords: number; data: OtherResource[] };
    const token = options.$skipToken ?? '';
    const first = Number(options.$skip ?? JSON.parse(Buffer.from(token, 'base64').toString()).RowsToSkip);
    if (token) names.set(token, skipToken(first, data.length));

    for (let n = 0; n < totalRecords; n += 1) {
      const found = data[n - first] ?? { id: `/subscriptions/-/resourceGroups/other/providers/Other/other/${n}` };
      const id = found.id.replace(/(?<=^\/subscriptions\/)[^/]+/, subscriptions[0] ?? '');
      world.otherResources.set(id.toLowerCase(), {
        type: 'Other/other',
        location: 'westus',
        properties: {},
        ...found,
        id,
      });
    }
  };
}

/** What a recording does not show of the run that it is of. */
export const sceneOptions: Record<string, SceneOptions> = {
  create_system_topic: { before: { 0: addOtherTopic } },
  keyvault_softdelete: { settings: { keyDeletionMs: 12_000 } },
  rg_paged_query: { before: { 0: addFound('rg_paged_query') } },
  rg_query: { before: { 0: addFound('rg_query') } },
  rg_skip_token_query: { before: { 0: addFound('rg_skip_token_query') } },
  storage_share_rm_soft_delete: { account: { kind: 'Storage', skuName: 'Standard_LRS' } },
  storage_share_rm_with_NFS: { account: { kind: 'FileStorage', skuName: 'Premium_LRS' } },
  storage_share_rm_with_snapshot: { headers: { 2: snapshot, 5: snapshot, 7: snapshot } },
};

/**
 * Pairs that are answered otherwise in what a client would notice (status, error, shape and values of the body, headers
 * that it acts on), by index, each with its reason. `local/README.md` tells the same.
 */
export const knownDifferences: Record<string, Record<number, string>> = {
  identity_management: {
    0: 'the operations of a resource provider are not listed',
    3: 'the users of an identity are not listed: Azure had that in a preview alone',
  },
  keyvault_key: {
    40: 'the recorded standard vault took an HSM-protected key; that needs the premium SKU, as documented',
    42: 'the recorded standard vault took an HSM-protected key; that needs the premium SKU, as documented',
  },
  rg_management_groups_query: { 0: 'there are no management groups, nor their table in Resource Graph' },
  rg_query_error: {
    0: "Resource Graph's parser says where it stopped; here the refusal is the same but for that",
  },
  storage_account_encryption_scope: { 3: 'the transcript leaves the endpoint of static websites out' },
  user_assigned_identity: {
    4: 'in 2021 a created key did not yet show recoverableDays',
    10: 'asked in its version of 2019, a vault showed systemData after a PUT and not after a GET',
  },
};
