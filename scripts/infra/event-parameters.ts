/** What the main template gave, as azd keeps it in the environment (and `scripts/infra/deploy.ts` passes it on). */
export interface MainOutputs {
  readonly environmentName: string;
  readonly location: string;
  readonly vaults: readonly { readonly id: string; readonly location: string }[];
  readonly functionAppId: string;
  readonly eventsIdentityId: string;
  readonly storageAccountId: string;
  readonly appPrincipalId: string;
  readonly workspaceId: string;
  readonly actionGroupIds: readonly string[];
}

const NAMES = {
  environmentName: 'AZURE_ENV_NAME',
  location: 'AZURE_LOCATION',
  functionAppId: 'CMK_FUNCTION_APP_ID',
  eventsIdentityId: 'CMK_EVENTS_IDENTITY_ID',
  storageAccountId: 'CMK_STORAGE_ACCOUNT_ID',
  appPrincipalId: 'CMK_APP_PRINCIPAL_ID',
  workspaceId: 'CMK_WORKSPACE_ID',
} as const;

/**
 * Reads them.
 *
 * @throws Error that names every value that is missing and what to run.
 */
export function readMainOutputs(environment: Readonly<Record<string, string | undefined>>): MainOutputs {
  const missing = [...Object.values(NAMES), 'CMK_VAULT_LOCATIONS'].filter((name) => !environment[name]);
  if (missing.length > 0) {
    throw new Error(
      `Not set: ${missing.join(', ')}. Deploy the app first (azd provision), then: azd hooks run postdeploy`,
    );
  }
  const value = (name: keyof typeof NAMES): string => environment[NAMES[name]] ?? '';
  return {
    environmentName: value('environmentName'),
    location: value('location'),
    functionAppId: value('functionAppId'),
    eventsIdentityId: value('eventsIdentityId'),
    storageAccountId: value('storageAccountId'),
    appPrincipalId: value('appPrincipalId'),
    workspaceId: value('workspaceId'),
    actionGroupIds: (environment.CMK_ACTION_GROUP_IDS ?? '').split(',').filter((id) => id !== ''),
    vaults: JSON.parse(environment.CMK_VAULT_LOCATIONS ?? '[]'),
  };
}

/** A system topic as Azure lists it. */
export interface SystemTopic {
  readonly id: string;
  readonly name: string;
  readonly tags?: Readonly<Record<string, string>> | null;
  readonly properties: { readonly source: string };
  readonly identity?: {
    readonly type?: string;
    readonly userAssignedIdentities?: Readonly<Record<string, unknown>> | null;
  } | null;
}

/** User-assigned identities that Event Grid takes for a topic (Event Grid, "Enable managed identity for system topics"). */
const MAX_IDENTITIES = 2;

/**
 * Parameters of events.bicep. A vault that has a system topic already keeps it, with its tags and its identities: Azure
 * allows one topic for each vault, and others may use it.
 *
 * @param isGone whether an identity was deleted: Azure refuses a topic that names one
 * @throws Error when a topic has no room for the identity that writes our dead letters
 */
export function eventParameters(
  main: MainOutputs,
  topics: readonly SystemTopic[],
  isGone: (identityId: string) => boolean = () => false,
): Record<string, { value: unknown }> {
  const vaults = main.vaults.map((vault) => {
    const topic = topics.find(({ properties }) => properties.source.toLowerCase() === vault.id.toLowerCase());
    return topic ? { ...vault, ...keptOf(topic, main.eventsIdentityId, isGone) } : vault;
  });
  const {
    environmentName,
    functionAppId,
    eventsIdentityId,
    storageAccountId,
    appPrincipalId,
    workspaceId,
    actionGroupIds,
  } = main;
  const values = {
    environmentName,
    vaults,
    functionAppId,
    eventsIdentityId,
    storageAccountId,
    appPrincipalId,
    workspaceId,
    actionGroupIds,
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]));
}

function keptOf(
  { id, name, tags, identity }: SystemTopic,
  eventsIdentityId: string,
  isGone: (identityId: string) => boolean,
) {
  const others = Object.keys(identity?.userAssignedIdentities ?? {}).filter(
    (other) => other.toLowerCase() !== eventsIdentityId.toLowerCase() && !isGone(other),
  );
  if (others.length >= MAX_IDENTITIES) {
    throw new Error(
      `The system topic ${id} has ${others.length} user-assigned identities, and Event Grid takes no more than ${MAX_IDENTITIES}. Take one away, if nobody needs it, and run this again: ${others.join(', ')}`,
    );
  }
  return {
    topicName: name,
    topicResourceGroup: id.split('/')[4],
    topicTags: tags ?? {},
    topicSystemAssigned: identity?.type?.includes('SystemAssigned') ?? false,
    topicIdentities: others,
  };
}

/** The subscriptions of the vaults, each once. */
export function vaultSubscriptions(main: MainOutputs): string[] {
  return [...new Set(main.vaults.map(({ id }) => (id.split('/')[2] ?? '').toLowerCase()))];
}

/** Functions that events go to and that are not deployed (yet). */
export function missingFunctions(deployed: readonly string[]): string[] {
  const names = deployed.map((name) => name.slice(name.lastIndexOf('/') + 1));
  return ['keyNewVersionCreated', 'keyNearExpiry', 'keyExpired'].filter((name) => !names.includes(name));
}
