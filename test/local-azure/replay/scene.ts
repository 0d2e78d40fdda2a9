import { CLIENT_IDS } from '../../../local/azure/constants.ts';
import { addPrincipal, addResourceGroup, addSubscription, addVault } from '../../../local/azure/fleet.ts';
import { newAccount } from '../../../local/azure/storage/new-account.ts';
import type { ResourceGroup, StorageAccount, Vault, World } from '../../../local/azure/world.ts';
import type { Pair, Recording, SceneOptions } from './recording.ts';

const subscription = '00000000-0000-0000-0000-000000000000';
const everything = { keys: ['all'], secrets: ['all'], certificates: ['all'], storage: ['all'] };
const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Clears the world and puts there what a recording's first requests find: groups, and the vaults and accounts that it
 * reads, changes or deletes before (or without) making them, as their first recorded answer shows them.
 */
export function setScene(world: World, recording: Recording, names: Map<string, string>, options: SceneOptions): void {
  for (const map of [
    world.resourceGroups,
    world.vaults,
    world.deletedVaults,
    world.storageAccounts,
    world.identities,
    world.eventSubscriptions,
    world.systemTopics,
    world.customTopics,
    world.otherResources,
    world.extensions,
    world.roleDefinitions,
  ]) {
    map.clear();
  }

  addSubscription(world, { subscriptionId: subscription });
  for (const [id, { scope }] of world.roleAssignments) {
    if (scope !== '/') world.roleAssignments.delete(id);
  }

  const text = JSON.stringify(recording);

  knowCaller(world, text, names);
  addGrantees(world, recording);

  const location =
    (/"location": ?"([a-z0-9]+)"/.exec(text) ?? /\/locations\/([a-z0-9]+)\//.exec(text))?.[1] ?? 'westus';
  const groups = new Map<string, ResourceGroup>();

  for (const [, name = ''] of text.matchAll(/resourcegroups\/([^/?"]+)/gi)) {
    const key = name.toLowerCase();
    if (!groups.has(key)) {
      groups.set(
        key,
        addResourceGroup(world, { subscriptionId: subscription, displayName: '', state: 'Enabled' }, name, location),
      );
    }
  }

  for (const { uri, method, response } of recording.pairs) {
    const name = /\/resourcegroups\/([^/?]+)(\?|$)/i.exec(uri)?.[1]?.toLowerCase();
    const group = name ? groups.get(name) : undefined;
    const shown = response as { tags?: Record<string, string>; location?: string } | null;
    if (group && method === 'GET') Object.assign(group, { tags: shown?.tags ?? {}, location: shown?.location });

    const body = recording.pairs.find((pair) => pair.uri === uri)?.body as { subscriptions?: string[] } | null;
    for (const subscriptionId of body?.subscriptions ?? []) addSubscription(world, { subscriptionId });
  }

  for (const pair of recording.pairs) {
    addTouchedVault(world, groups, recording, pair);
    addTouchedAccount(world, groups, recording, pair, options);
  }
}

/** The recorded run's tenant and its caller, in local ids: the first access policy of a vault is the caller's own. */
function knowCaller(world: World, text: string, names: Map<string, string>): void {
  const owner = world.principals.get(CLIENT_IDS.owner)?.objectId ?? '';
  const tenant = /"tenantId": ?"([0-9a-f-]{36})"/.exec(text)?.[1];
  const caller =
    /"me": ?"([0-9a-f-]{36})"/.exec(text)?.[1] ??
    /"accessPolicies": ?\[\{"tenantId": ?"[^"]*","objectId": ?"([0-9a-f-]{36})"/.exec(text)?.[1];
  if (tenant) names.set(tenant, world.tenantId);
  if (caller && guid.test(caller)) names.set(caller, owner);
}

/** The principals that the recorded run had made in Entra ID before it gave them a role. */
function addGrantees(world: World, { pairs }: Recording): void {
  for (const { uri, method, response } of pairs) {
    if (method !== 'PUT' || !/\/roleAssignments\//i.test(uri)) continue;
    const { principalId, principalType } =
      (response as { properties?: { principalId?: string; principalType?: string } } | null)?.properties ?? {};
    if (principalId === undefined) continue;
    const kind = principalType === 'User' ? 'user' : 'application';
    addPrincipal(world, { displayName: principalId, clientId: principalId, objectId: principalId, kind });
  }
}

function vaultOf({ uri }: Pair): string | undefined {
  return (/\/Microsoft\.KeyVault\/vaults\/([^/?]+)/i.exec(uri) ??
    /^https:\/\/([^.]+)\.vault\.azure\.net/.exec(uri))?.[1];
}

/** Whether this pair is the first that speaks of a resource of the present recording. */
function isFirst(recording: Recording, pair: Pair, name: string, of: (pair: Pair) => string | undefined) {
  return (
    recording.pairs.find((other) => of(other)?.toLowerCase() === name.toLowerCase() && other.status !== 404) === pair
  );
}

function addTouchedVault(world: World, groups: Map<string, ResourceGroup>, recording: Recording, pair: Pair): void {
  const name = vaultOf(pair);
  if (!name || !isFirst(recording, pair, name, vaultOf)) return;

  const inArm = pair.uri.includes('management.azure.com');
  if (inArm && pair.method === 'PUT') return;

  const shown = inArm && pair.method === 'GET' ? (pair.response as Partial<Vault>) : undefined;
  const group = groupOf(groups, pair.uri);
  const vault = addVault(world, { ...group, location: shown?.location ?? group.location }, name, {
    softDeleteRetentionInDays: 7,
    accessPolicies: [{ tenantId: world.tenantId, objectId: ownerOf(world), permissions: everything }],
    ...(!inArm && recording.vault ? recording.vault : {}),
  });

  delete vault.properties.enableRbacAuthorization;
  delete vault.properties.enablePurgeProtection;

  if (shown?.properties) {
    const asLocal = JSON.stringify(shown.properties).replaceAll(String(shown.properties.tenantId), world.tenantId);
    vault.properties = JSON.parse(asLocal) as Vault['properties'];
    for (const policy of (vault.properties.accessPolicies ?? []) as { objectId: string }[]) {
      if ((vault.properties.accessPolicies as unknown[])[0] === policy) policy.objectId = ownerOf(world);
    }
  }

  if (shown?.tags) vault.tags = shown.tags;
  if (shown) vault.systemData = shown.systemData;
}

function accountOf({ uri }: Pair): string | undefined {
  return /\/Microsoft\.Storage\/storageAccounts\/([^/?]+)/i.exec(uri)?.[1];
}

function addTouchedAccount(
  world: World,
  groups: Map<string, ResourceGroup>,
  recording: Recording,
  pair: Pair,
  options: SceneOptions,
): void {
  const name = accountOf(pair);
  if (!name || !isFirst(recording, pair, name, accountOf)) return;

  const itself = new URL(pair.uri).pathname.endsWith(`/${name}`);
  if (itself && pair.method === 'PUT') return;

  const group = groupOf(groups, pair.uri);

  const known = (recording.pairs.find(
    (other) => accountOf(other) === name && new URL(other.uri).pathname.endsWith(`/${name}`) && other.status === 200,
  )?.response ?? recording.account) as
    | (Partial<StorageAccount> & { properties?: { encryption?: unknown } })
    | undefined;

  const shown = itself || recording.account ? known : undefined;
  const account = newAccount(
    {
      id: `${group.id}/providers/Microsoft.Storage/storageAccounts/${name}`,
      name,
      location: shown?.location ?? group.location,
      kind: options.account?.kind ?? shown?.kind ?? 'StorageV2',
      skuName: options.account?.skuName ?? shown?.sku?.name ?? 'Standard_LRS',
      tags: shown?.tags ?? {},
      apiVersion: new URL(pair.uri).searchParams.get('api-version') ?? '',
    },
    world.clock.nowMs(),
  );

  if (shown?.properties) {
    const { encryption, ...properties } = shown.properties as Record<string, unknown>;
    account.properties = { ...account.properties, ...properties };

    if (itself) {
      account.properties = properties;
      if (encryption) account.encryption = encryption as StorageAccount['encryption'];
    }
  }

  if (shown?.identity) account.identity = shown.identity;

  world.storageAccounts.set(name.toLowerCase(), account);
}

function groupOf(groups: Map<string, ResourceGroup>, uri: string): ResourceGroup {
  const name = /resourcegroups\/([^/?]+)/i.exec(uri)?.[1]?.toLowerCase();
  const group = (name && groups.get(name)) || [...groups.values()][0];
  if (group) return group;
  return { id: `/subscriptions/${subscription}/resourceGroups/local`, name: 'local', location: 'westus', tags: {} };
}

function ownerOf(world: World): string {
  return world.principals.get(CLIENT_IDS.owner)?.objectId ?? '';
}
