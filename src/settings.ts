import { z } from 'zod';
import { CLOUDS, type Cloud, findCloud } from './azure/cloud.ts';
import { SettingsError } from './errors.ts';
import { ManagedVaults, managedVault } from './keys/managed-vaults.ts';

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const list = z.string().transform((text) =>
  text
    .split(/[\s,;]+/)
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
const guid = z.string().trim().regex(GUID, 'is not a GUID').toLowerCase();
const onOff = z
  .string()
  .trim()
  .toLowerCase()
  .pipe(z.enum(['on', 'off'], 'is neither "on" nor "off"'))
  .transform((value) => value === 'on');

interface Setting<T extends z.ZodType> {
  readonly schema: T;
  /** What a right value looks like, shown with every problem. */
  readonly example: string;
  /** One sentence for README and sample; the table in README.md is tested against it. */
  readonly description: string;
  /** What holds when it is absent or empty, as shown in README. */
  readonly fallback: string;
}

function setting<T extends z.ZodType>(definition: Setting<T>): Setting<T> {
  return definition;
}

/** Every app setting that this app reads, and the host's own that it relies on. One table: README and sample follow it. */
export const SETTINGS = {
  CMK_VAULTS: setting({
    schema: list.refine((ids) => ids.length > 0, 'names no vault'),
    example:
      '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files',
    description: 'ARM ids of the key vaults (and Managed HSMs) to look after, separated by commas or spaces.',
    fallback: 'required',
  }),
  CMK_SUBSCRIPTIONS: setting({
    schema: list.pipe(z.array(guid)).optional(),
    example: '11111111-1111-1111-1111-111111111111,22222222-2222-2222-2222-222222222222',
    description: 'Subscriptions whose storage accounts are looked after.',
    fallback: "all that the app's identity sees",
  }),
  AZURE_CLOUD: setting({
    schema: z
      .string()
      .trim()
      .refine((name) => findCloud(name) !== undefined, `is not one of ${CLOUDS.map((cloud) => cloud.name).join(', ')}`)
      .optional(),
    example: 'AzureCloud',
    description: 'Cloud: `AzureCloud`, `AzureUSGovernment` or `AzureChinaCloud`.',
    fallback: '`AzureCloud`',
  }),
  AZURE_CLIENT_ID: setting({
    schema: guid.optional(),
    example: '33333333-3333-3333-3333-333333333333',
    description: "Client id of the app's user-assigned managed identity.",
    fallback: "the app's system-assigned identity",
  }),
  AzureWebJobsStorage: setting({
    schema: z.string().trim().optional(),
    example: 'UseDevelopmentStorage=true',
    description: "The app's own storage by connection string. Meant for development; in Azure use the next one.",
    fallback: 'identity-based, see the next one',
  }),
  AzureWebJobsStorage__accountName: setting({
    schema: z
      .string()
      .trim()
      .regex(/^[a-z0-9]{3,24}$/, 'is not the name of a storage account')
      .optional(),
    example: 'stcmkautopilot',
    description: "Name of the app's own storage account, reached with the app's identity: no key is stored.",
    fallback: 'required unless `AzureWebJobsStorage` is set',
  }),
  CMK_REFRESH_AUTOMATIC: setting({
    schema: onOff.optional(),
    example: 'on',
    description:
      'Whether an automatic account that lags is asked to look for the new version at once (`on`), or left to the daily look of Storage (`off`).',
    fallback: '`on`',
  }),
  CMK_SCOPE_DISCOVERY: setting({
    schema: z
      .string()
      .trim()
      .toLowerCase()
      .pipe(z.enum(['all', 'dependents'], 'is neither "all" nor "dependents"'))
      .optional(),
    example: 'all',
    description:
      'Whose encryption scopes are looked at: those of `all` accounts, or only of accounts that use the key themselves (`dependents`: one call less for every other account).',
    fallback: '`all`',
  }),
  CMK_TENANT_ID: setting({
    schema: z.string().trim().optional(),
    example: '44444444-4444-4444-4444-444444444444',
    description: 'Entra ID tenant whose access tokens the HTTP API takes.',
    fallback: 'every call of the API is refused',
  }),
  CMK_API_AUDIENCE: setting({
    schema: list.optional(),
    example: '55555555-5555-5555-5555-555555555555',
    description: "Client id of the API's app registration, and its App ID URI if v1.0 tokens are used.",
    fallback: 'every call of the API is refused',
  }),
  CMK_DUAL_CONTROL: setting({
    schema: onOff.optional(),
    example: 'on',
    description: 'Whether a key has to be restored by somebody else than who revoked it.',
    fallback: '`on`',
  }),
} as const;

export type SettingName = keyof typeof SETTINGS;

/** The app's settings, checked. */
export interface Settings {
  readonly cloud: Cloud;
  readonly vaults: ManagedVaults;
  /** Undefined: every subscription that the identity sees. */
  readonly subscriptions: readonly string[] | undefined;
  readonly clientId: string | undefined;
  readonly storage: { readonly connectionString: string } | { readonly accountName: string };
  readonly refreshAutomatic: boolean;
  readonly scopeDiscovery: 'all' | 'dependents';
  /**
   * Whose tokens the HTTP API takes. Not checked here: wrong values refuse every call of the API, and must not keep the
   * app from moving accounts.
   */
  readonly auth: { readonly tenantId: string | undefined; readonly audiences: readonly string[] };
  readonly dualControl: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks every setting at once.
 *
 * @throws {@link SettingsError} with one line for each problem: the setting's name, what is wrong and an example.
 */
export function readSettings(environment: Environment): Settings {
  const reader = new Reader(environment);
  const cloud = readCloud(reader);
  const vaults = (reader.read('CMK_VAULTS') ?? []).flatMap((id) => {
    const vault = managedVault(id, cloud);
    if (!vault) reader.problem('CMK_VAULTS', `has "${id}", which is not the ARM id of a vault`);
    return vault ?? [];
  });
  const subscriptions = reader.read('CMK_SUBSCRIPTIONS');
  const settings: Settings = {
    cloud,
    vaults: new ManagedVaults([...new Map(vaults.map((vault) => [vault.uri, vault])).values()]),
    subscriptions: subscriptions && subscriptions.length > 0 ? [...new Set(subscriptions)] : undefined,
    clientId: reader.read('AZURE_CLIENT_ID'),
    storage: readStorage(reader),
    refreshAutomatic: reader.read('CMK_REFRESH_AUTOMATIC') ?? true,
    scopeDiscovery: reader.read('CMK_SCOPE_DISCOVERY') ?? 'all',
    auth: { tenantId: reader.read('CMK_TENANT_ID'), audiences: reader.read('CMK_API_AUDIENCE') ?? [] },
    dualControl: reader.read('CMK_DUAL_CONTROL') ?? true,
  };
  reader.done();
  return settings;
}

/**
 * The settings of the app's own storage alone, for commands that need nothing else.
 *
 * @throws {@link SettingsError}
 */
export function readStorageSettings(environment: Environment): Pick<Settings, 'cloud' | 'storage'> {
  const reader = new Reader(environment);
  const settings = { cloud: readCloud(reader), storage: readStorage(reader) };
  reader.done();
  return settings;
}

function readCloud(reader: Reader): Cloud {
  return findCloud(reader.read('AZURE_CLOUD') ?? 'AzureCloud') ?? (CLOUDS[0] as Cloud);
}

function readStorage(reader: Reader): Settings['storage'] {
  const connectionString = reader.read('AzureWebJobsStorage');
  const accountName = reader.read('AzureWebJobsStorage__accountName');
  if (connectionString) return { connectionString };
  if (!accountName) reader.problem('AzureWebJobsStorage__accountName', 'is missing');
  return { accountName: accountName ?? '' };
}

/** Reads settings one by one and keeps every problem for the end. */
class Reader {
  readonly #environment: Environment;
  readonly #problems = new Map<SettingName, string>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  read<N extends SettingName>(name: N): z.output<(typeof SETTINGS)[N]['schema']> | undefined {
    const raw = this.#environment[name];
    const present = raw !== undefined && raw.trim() !== '';
    const result = SETTINGS[name].schema.safeParse(present ? raw : undefined);
    if (result.success) return result.data as z.output<(typeof SETTINGS)[N]['schema']>;
    this.problem(name, present ? result.error.issues.map((issue) => issue.message).join(', ') : 'is missing');
    return undefined;
  }

  /** Notes what is wrong with a setting; the first problem of each is the one that is told. */
  problem(name: SettingName, what: string): void {
    if (!this.#problems.has(name)) this.#problems.set(name, `${name} ${what}. Example: ${SETTINGS[name].example}`);
  }

  done(): void {
    if (this.#problems.size > 0) throw new SettingsError([...this.#problems.values()]);
  }
}
