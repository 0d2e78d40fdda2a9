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
  readonly properties: { readonly source: string };
  readonly identity?: { readonly userAssignedIdentities?: Readonly<Record<string, unknown>> };
}

/**
 * Parameters of events.bicep. A vault that has a system topic already keeps it: Azure allows one for each vault.
 *
 * @returns The parameters, and a warning for each topic that loses an identity that somebody else gave it.
 */
export function eventParameters(
  main: MainOutputs,
  topics: readonly SystemTopic[],
): { parameters: Record<string, { value: unknown }>; warnings: string[] } {
  const warnings: string[] = [];
  const vaults = main.vaults.map((vault) => {
    const topic = topics.find(({ properties }) => properties.source.toLowerCase() === vault.id.toLowerCase());
    if (!topic) return vault;
    const others = Object.keys(topic.identity?.userAssignedIdentities ?? {}).filter(
      (id) => id.toLowerCase() !== main.eventsIdentityId.toLowerCase(),
    );
    if (others.length > 0) {
      warnings.push(`The system topic ${topic.name} had the identity ${others.join(', ')}; it gets ours instead.`);
    }
    return { ...vault, topicName: topic.name, topicResourceGroup: topic.id.split('/')[4] };
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
  return {
    parameters: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }])),
    warnings,
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
