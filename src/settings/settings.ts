import type { AppStorage, StorageAccount } from '../azure/app-storage.ts';
import { CLOUDS, type Cloud, findCloud } from '../azure/cloud.ts';
import { parseResourceId } from '../azure/resource-id.ts';
import type { AccessRules } from '../http/access.ts';
import { ManagedVaults, parseManagedVault } from '../keys/managed-vaults.ts';
import { DEFAULT_AUTOFIX, type Fixable } from './exemption.ts';
import { DEFAULT_DIGEST_HOUR } from './notify-targets.ts';
import { findStorageName } from './own-storage.ts';
import { type Environment, listMisnamed, SettingsReader } from './reader.ts';

export type { Environment } from './reader.ts';

/** The app's validated settings. */
export type Settings = ReturnType<typeof readSettings>;
export type DriftSettings = ReturnType<typeof readDrift>;
export type NotifySettings = Settings['notify'];

/**
 * Reads and validates every setting.
 *
 * @throws `SettingsError` with a line for each problem: the setting's name, the problem and an example.
 */
export function readSettings(environment: Environment) {
  const reader = new SettingsReader(environment);
  const cloud = readCloud(reader);
  const vaults = (reader.read('CMK_VAULTS') ?? []).flatMap((id) => {
    const vault = parseManagedVault(id, cloud);
    if (!vault) reader.problem('CMK_VAULTS', `has "${id}", which is not the ARM id of a key vault`);
    return vault ?? [];
  });

  for (const { kind, name } of vaults) {
    // The API identifies a key by its vault's name, so the name must be unique.
    if (kind === 'managedHsm' && vaults.some((other) => other.kind === 'vault' && other.name === name)) {
      reader.problem(
        'CMK_VAULTS',
        `has a key vault and a Managed HSM that are both named "${name}"; remove one of them`,
      );
    }
  }

  const drift = readDrift(environment, cloud);
  const notify = readNotify(environment);
  const problems: readonly string[] = [...drift.problems, ...notify.problems, ...listMisnamed(environment)];
  const settings = {
    cloud,
    vaults: new ManagedVaults([...new Map(vaults.map((vault) => [vault.uri, vault])).values()]),
    /** Undefined: every subscription that the identity can read. */
    subscriptions: readSubscriptions(reader),
    clientId: reader.read('AZURE_CLIENT_ID'),
    /** The app's own storage. */
    storage: readStorage(reader, cloud),
    /** Other resources with keys that the app's identity may read. */
    otherDependents: reader.read('CMK_OTHER_DEPENDENTS') ?? ('listed' as const),
    /** Number of canary accounts of a rotation; 0: no canary. */
    canary: reader.read('CMK_CANARY') ?? 0,
    /**
     * Tenant and audiences whose tokens the HTTP API accepts. Not validated here: invalid values make the API reject
     * every call, but must not stop the app from moving accounts.
     */
    auth: { tenantId: reader.read('CMK_TENANT_ID'), audiences: reader.read('CMK_API_AUDIENCE') ?? [] },
    access: readAccess(environment),
    dualControl: reader.read('CMK_DUAL_CONTROL') ?? true,
    /** Whether the app probes the blob services of accounts without a file share after a revocation or restore. */
    probeBlobs: reader.read('CMK_PROBE_BLOBS') ?? false,
    page: readPage(environment),
    notify,
    drift: { ...drift, problems },
  };

  reader.done();

  return settings;
}

/** Undefined, also for an empty list: every subscription that the app can read. */
function readSubscriptions(reader: SettingsReader): readonly string[] | undefined {
  const ids = reader.read('CMK_SUBSCRIPTIONS');
  return ids && ids.length > 0 ? [...new Set(ids)] : undefined;
}

/** Whether the restorer must be another person than the revoker; an invalid value counts as on. */
export function readDualControl(environment: Environment): boolean {
  return new SettingsReader(environment).read('CMK_DUAL_CONTROL') ?? true;
}

/** Reads the access rules. With any problem the API rejects every call, but the app still moves accounts. */
function readAccess(environment: Environment): AccessRules & { readonly problems: readonly string[] } {
  const reader = new SettingsReader(environment);
  const access = {
    clients: reader.read('CMK_CLIENTS') ?? [],
    restoreApplications: reader.read('CMK_RESTORE_APPLICATIONS') ?? [],
    stepUp: reader.read('CMK_STEP_UP'),
    roleScopes: reader.read('CMK_ROLE_SCOPES') ?? [],
  };
  return { ...access, problems: reader.problems };
}

/**
 * Reads the receivers of notifications. A problem becomes a drift finding and stops notifications, but nothing else.
 */
export function readNotify(environment: Environment) {
  const reader = new SettingsReader(environment);
  const { targets = [], digestHour = DEFAULT_DIGEST_HOUR } = reader.read('CMK_NOTIFY') ?? {};
  return { problems: reader.problems, targets, digestHour };
}

/** Reads the page's settings. A problem disables only the page, because the app must still move accounts. */
function readPage(environment: Environment) {
  const reader = new SettingsReader(environment);
  // Origin of Entra ID for browsers; undefined: the cloud's default.
  const signIn = reader.read('CMK_PAGE_SIGN_IN');
  if (signIn === 'off') return { on: false, signIn: undefined };
  return { on: reader.problems.length === 0, signIn };
}

/**
 * Reads the drift check's settings. Problems are findings of the check and must not stop the app from moving accounts
 * and revoking keys. So an invalid setting counts as absent, and nothing is fixed.
 */
export function readDrift(environment: Environment, cloud: Cloud) {
  const reader = new SettingsReader(environment);
  const functionAppId = reader.read('CMK_FUNCTION_APP_ID');
  const app = functionAppId === undefined ? undefined : parseResourceId(functionAppId);
  const own = readStorage(new SettingsReader(environment), cloud);
  const injected = environment.AzureWebJobsStorage__credential || environment.AzureWebJobsStorage__clientId;
  if (injected && 'connectionString' in own && findStorageName(own, cloud) !== 'local') {
    // Flex Consumption added a connection string (Azure/azure-functions-host#11796, #11636), which the host uses for
    // its queues.
    reader.problem(
      'AzureWebJobsStorage',
      'is set together with an identity for the same storage, and the host uses it instead of the identity: remove it',
    );
  }

  // A connection string, as in development, may lack the account name.
  const ownName = 'accountName' in own ? own.accountName : reader.read('AzureWebJobsStorage__accountName');
  const ownStorageId =
    app && ownName
      ? `/subscriptions/${app.subscriptionId}/resourceGroups/${app.resourceGroup}/providers/Microsoft.Storage/storageAccounts/${ownName}`
      : undefined;
  const minimum = reader.read('CMK_KEY_MINIMUM');
  const settings = {
    autofix: (reader.read('CMK_AUTOFIX') ?? DEFAULT_AUTOFIX) as readonly Fixable[],
    require: reader.read('CMK_REQUIRE') ?? [],
    exemptions: reader.read('CMK_EXEMPTIONS') ?? [],
    /** Minimum number of bits of an RSA key; 0: every size that Storage accepts. */
    keyMinBits: minimum?.bits ?? 0,
    requireHsm: minimum?.hsm ?? false,
    /** Workspace id of the log with the users of each key version; undefined: no such log. */
    drillInterval: reader.read('CMK_DRILL_INTERVAL'),
    usageWorkspace: reader.read('CMK_USAGE_WORKSPACE'),
    functionAppId: app?.id,
    /** ARM id of the app's own storage account. */
    storageAccountId: ownStorageId,
    watchChanges: reader.read('CMK_WATCH_CHANGES') ?? true,
    /** ARM ids of the configured system topics, by the ARM id of their vault. */
    systemTopics: reader.read('CMK_SYSTEM_TOPICS') ?? {},
  };

  const { problems } = reader;

  return problems.length === 0 ? { ...settings, problems } : { ...settings, problems, autofix: [] };
}

/** Settings for a search of all resources that use a key. */
export type SearchSettings = Pick<Settings, 'cloud' | 'subscriptions' | 'otherDependents'> & {
  /** Undefined: the app's own storage is unknown. */
  readonly storage: AppStorage | undefined;
};

/**
 * Reads the same settings from an environment that may not be the app's.
 *
 * @throws `SettingsError`
 */
export function readSearchSettings(environment: Environment): SearchSettings {
  const { AzureWebJobsStorage, AzureWebJobsStorage__accountName: account } = environment;
  const reader = new SettingsReader(environment);
  const cloud = readCloud(reader);
  const storage = AzureWebJobsStorage || account ? readStorage(reader, cloud) : undefined;
  const settings = { cloud, storage, subscriptions: readSubscriptions(reader), otherDependents: 'all' } as const;
  reader.done();
  return settings;
}

/**
 * Reads only the settings of the app's own storage, for commands that need no other settings.
 *
 * @throws `SettingsError`
 */
export function readStorageSettings(environment: Environment): Pick<Settings, 'cloud' | 'storage'> {
  const reader = new SettingsReader(environment);
  const cloud = readCloud(reader);
  const settings = { cloud, storage: readStorage(reader, cloud) };
  reader.done();
  return settings;
}

function readCloud(reader: SettingsReader): Cloud {
  return findCloud(reader.read('AZURE_CLOUD') ?? 'AzureCloud') ?? (CLOUDS[0] as Cloud);
}

function readStorage(reader: SettingsReader, cloud: Cloud): AppStorage {
  const control = accountIn(cloud, {
    connectionString: reader.read('AzureWebJobsStorage'),
    name: reader.read('AzureWebJobsStorage__accountName'),
    blob: reader.read('AzureWebJobsStorage__blobServiceUri'),
  });
  if (!control) reader.problem('AzureWebJobsStorage__accountName', 'is missing');

  const work = accountIn(cloud, {
    connectionString: reader.read('CMK_WORK'),
    queue: reader.read('CMK_WORK__queueServiceUri'),
  });
  const audit = accountIn(cloud, { blob: reader.read('CMK_AUDIT__blobServiceUri') });

  return { ...(control ?? { connectionString: '' }), ...(work ? { work } : {}), ...(audit ? { audit } : {}) };
}

/** Returns the storage account; undefined: no setting names it. */
function accountIn(
  cloud: Cloud,
  {
    connectionString,
    name,
    blob,
    queue,
  }: Readonly<Partial<Record<'connectionString' | 'name' | 'blob' | 'queue', string | undefined>>>,
): StorageAccount | undefined {
  if (connectionString) return { connectionString };

  const accountName = name ?? accountOf(blob) ?? accountOf(queue);
  if (!accountName) return undefined;
  return {
    accountName,
    blobUri: blob ?? `https://${accountName}.blob.${cloud.storageSuffix}`,
    queueUri: queue ?? `https://${accountName}.queue.${cloud.storageSuffix}`,
    tableUri: `https://${accountName}.table.${cloud.storageSuffix}`,
  };
}

function accountOf(serviceUri: string | undefined): string | undefined {
  return serviceUri && new URL(serviceUri).hostname.split('.')[0];
}
