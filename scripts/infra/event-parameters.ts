/** What the main template gave, as azd keeps it in the environment (and `scripts/infra/deploy.ts` passes it on). */
export interface MainOutputs {
  readonly environmentName: string;
  readonly location: string;
  readonly vaults: readonly { readonly id: string; readonly location: string }[];
  readonly functionAppId: string;
  readonly storageAccountId: string;
  readonly appPrincipalId: string;
  readonly workspaceId: string;
  readonly actionGroupIds: readonly string[];
  readonly appClientId: string;
  /** Subscriptions whose changes Resource Manager is to tell the app of. */
  readonly watchedSubscriptions: readonly string[];
  /** Whether this deployment gives the rights of topics and app too; not in the bank profile. */
  readonly assignRights: boolean;
}

const NAMES = {
  environmentName: 'AZURE_ENV_NAME',
  location: 'AZURE_LOCATION',
  functionAppId: 'CMK_FUNCTION_APP_ID',
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
    storageAccountId: value('storageAccountId'),
    appPrincipalId: value('appPrincipalId'),
    workspaceId: value('workspaceId'),
    actionGroupIds: listOf(environment.CMK_ACTION_GROUP_IDS),
    appClientId: environment.CMK_APP_CLIENT_ID ?? '',
    watchedSubscriptions: listOf(environment.CMK_WATCHED_SUBSCRIPTIONS),
    assignRights: environment.CMK_ASSIGN_RIGHTS !== 'false' && environment.CMK_PROFILE !== 'bank',
    vaults: JSON.parse(environment.CMK_VAULT_LOCATIONS ?? '[]'),
  };
}

function listOf(text = ''): string[] {
  return text.split(',').filter((id) => id !== '');
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

/**
 * Parameters of events.bicep. A vault that has a system topic already keeps it, with its tags and its identities: Azure
 * allows one topic for each vault, and others may use it.
 *
 * @param isGone whether an identity was deleted: Azure refuses a topic that names one
 */
export function eventParameters(
  main: MainOutputs,
  topics: readonly SystemTopic[],
  isGone: (identityId: string) => boolean = () => false,
): Record<string, { value: unknown }> {
  const vaults = main.vaults.map((vault) => {
    const topic = topicOf(vault.id, topics);
    return topic
      ? { ...vault, ...keptOf(topic, main.functionAppId, isGone), topicId: spelled(topic.id, vault.id) }
      : vault;
  });

  const { location: _, ...values } = { ...main, vaults };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]));
}

/** The system topic of a vault, whatever the spelling of its id. */
export function topicOf(vaultId: string, topics: readonly SystemTopic[]): SystemTopic | undefined {
  return topics.find(({ properties }) => properties.source.toLowerCase() === vaultId.toLowerCase());
}

function keptOf(
  { tags, identity }: SystemTopic,
  functionAppId: string,
  isGone: (identityId: string) => boolean,
): { topicTags: Readonly<Record<string, string>>; topicIdentities: string[] } {
  return {
    topicTags: tags ?? {},
    topicIdentities: Object.keys(identity?.userAssignedIdentities ?? {}).filter(
      (other) => !isOfVersion02(other, functionAppId) && !isGone(other),
    ),
  };
}

/**
 * A topic that the template made is named as the template does (`newTopicId` in names.bicep), in whichever case Azure lists
 * it: names of role assignments are made of its id letter by letter, and Azure refuses a second one under another name.
 */
function spelled(topicId: string, vaultId: string): string {
  const [, , subscription = '', , group = '', , , , vault = ''] = vaultId.split('/');
  const made = `/subscriptions/${subscription.toLowerCase()}/resourceGroups/${group}/providers/Microsoft.EventGrid/systemTopics/evgt-${vault}`;
  return topicId.toLowerCase() === made.toLowerCase() ? made : topicId;
}

/** Up to version 0.2 an identity beside the app wrote dead letters; a topic has one of its own for that now. */
function isOfVersion02(identityId: string, functionAppId: string): boolean {
  const [group = ''] = functionAppId.toLowerCase().split('/providers/');
  return identityId.toLowerCase().startsWith(`${group}/`) && /\/id-cmk-events-[^/]+$/i.test(identityId);
}

/** Functions that events go to and that are not deployed (yet). */
export function missingFunctions(deployed: readonly string[]): string[] {
  const names = deployed.map((name) => name.slice(name.lastIndexOf('/') + 1));
  return ['keyNewVersionCreated', 'keyNearExpiry', 'keyExpired', 'resourceChanged'].filter(
    (name) => !names.includes(name),
  );
}
