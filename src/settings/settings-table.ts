import { z } from 'zod';
import { CLOUDS, findCloud } from '../azure/cloud.ts';
import { parseResourceId } from '../azure/resource-id.ts';
import { parseEvenDays } from '../formats/duration.ts';
import type { RoleScope, RouteKey } from '../http/access.ts';
import { ROLES } from '../http/roles.ts';
import { DEFAULT_AUTOFIX, EXEMPTIONS, FIXABLE, isFixable } from './exemption.ts';
import { NOTIFY_CONFIG } from './notify-targets.ts';
import { parseRequirement } from './requirement.ts';
import { createSetting, guid, json, list, onOff } from './setting.ts';

/** Loopback traffic stays on the machine; any other address must use encryption. */
const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/;

/** Requires a field of a connection string: without one, the SDK throws an error without details. */
const connectionString = z
  .string()
  .trim()
  .regex(/(^|;)\s*(UseDevelopmentStorage|AccountName|BlobEndpoint|QueueEndpoint)=/i, 'is not a connection string');

/** `https://{account}.{service}.{suffix}` without the trailing slash that Azure's outputs have. */
const serviceUri = (service: 'blob' | 'queue') =>
  z
    .string()
    .trim()
    .regex(new RegExp(`^https://[a-z0-9]{3,24}\\.${service}\\.[a-z0-9.]+/?$`), `is not the URI of a ${service} service`)
    .transform((uri) => uri.replace(/\/$/, ''));

const TOPIC = z
  .string()
  .refine(
    (id) => parseResourceId(id)?.type.toLowerCase() === 'microsoft.eventgrid/systemtopics',
    'has a value that is not the ARM id of a system topic',
  );

/** `{"<ARM id of a vault>": "<ARM id of its system topic>"}` */
const SYSTEM_TOPICS = json.pipe(z.record(z.string(), TOPIC, 'is not a JSON object'));

const key = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[0-9a-z-]{3,24}(?:\/(?:[0-9a-z-]{1,127}|\*))?$/, 'is not a vault or vault/key')
  .transform((name): RouteKey => {
    const [vault = '', key = '*'] = name.split('/');
    return { vault, key };
  });

/** The value of `CMK_ROLE_SCOPES`. A role with an empty list of keys reaches no key. */
const ROLE_SCOPES = json.pipe(
  z
    .array(
      z
        .strictObject({ role: z.enum(ROLES), principal: guid.optional(), keys: z.array(key).max(500) })
        .transform(({ role, principal, keys }): RoleScope => ({ role, principal, keys })),
      'is not a JSON array',
    )
    .max(500),
);

/**
 * Every app setting that the app reads, and the host settings that it relies on. docs/reference/settings.md and the
 * sample are generated from this table.
 */
export const SETTINGS = {
  CMK_VAULTS: createSetting({
    schema: list.refine((ids) => ids.length > 0, 'names no vault'),
    example:
      '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files',
    description: 'ARM ids of the key vaults (and Managed HSMs) to manage, separated by commas or spaces.',
    fallback: 'required',
  }),
  CMK_SUBSCRIPTIONS: createSetting({
    schema: list.pipe(z.array(guid)).optional(),
    example: '11111111-1111-1111-1111-111111111111,22222222-2222-2222-2222-222222222222',
    description: 'Subscriptions whose storage accounts the app manages.',
    fallback: "all that the app's identity can read",
  }),
  AZURE_CLOUD: createSetting({
    schema: z
      .string()
      .trim()
      .refine((name) => findCloud(name) !== undefined, `is not one of ${CLOUDS.map((cloud) => cloud.name).join(', ')}`)
      .optional(),
    example: 'AzureCloud',
    description: 'Cloud: `AzureCloud`, `AzureUSGovernment` or `AzureChinaCloud`.',
    fallback: '`AzureCloud`',
  }),
  AZURE_CLIENT_ID: createSetting({
    schema: guid.optional(),
    example: '33333333-3333-3333-3333-333333333333',
    description: "Client id of the app's user-assigned managed identity.",
    fallback: "the app's system-assigned identity",
  }),
  AzureWebJobsStorage: createSetting({
    schema: connectionString.optional(),
    example: 'UseDevelopmentStorage=true',
    description: "The app's own storage by connection string. For development only; in Azure use the next setting.",
    fallback: 'identity-based, see the next setting',
  }),
  AzureWebJobsStorage__accountName: createSetting({
    schema: z
      .string()
      .trim()
      .regex(/^[a-z0-9]{3,24}$/, 'is not the name of a storage account')
      .optional(),
    example: 'stcmkautopilot',
    description:
      "Name of the app's own storage account, which the app accesses with its identity, so no account key is stored. The account also receives undeliverable events, and must be in the resource group of the function app.",
    fallback: 'required unless another `AzureWebJobsStorage` setting is set',
  }),
  AzureWebJobsStorage__blobServiceUri: createSetting({
    schema: serviceUri('blob').optional(),
    example: 'https://stcmkautopilot.blob.core.usgovcloudapi.net',
    description:
      'Blob service of that storage account, instead of its name: required outside `AzureCloud`, where the host also reads `AzureWebJobsStorage__queueServiceUri` and `AzureWebJobsStorage__tableServiceUri`.',
    fallback: 'derived from the name',
  }),
  CMK_WORK: createSetting({
    schema: connectionString.optional(),
    example: 'UseDevelopmentStorage=true',
    description:
      'Storage account of the work zone by connection string: queues, index and leases ([docs/explanation/trust.md](docs/explanation/trust.md)). For development only; in Azure use the next setting.',
    fallback: 'identity-based, see the next setting',
  }),
  CMK_WORK__queueServiceUri: createSetting({
    schema: serviceUri('queue').optional(),
    example: 'https://stcmkwork.queue.core.windows.net',
    description:
      'Queue service of the work zone, which the app accesses with its identity; the tables and blobs of the zone are in the same account. The host also reads `CMK_WORK__credential` and `CMK_WORK__clientId`.',
    fallback: 'the `AzureWebJobsStorage` account holds both zones',
  }),
  CMK_AUDIT__blobServiceUri: createSetting({
    schema: serviceUri('blob').optional(),
    example: 'https://stcmkaudit.blob.core.windows.net',
    description: 'Blob service of a separate account for the audit trail.',
    fallback: 'the trail is in the `AzureWebJobsStorage` account',
  }),
  CMK_CANARY: createSetting({
    schema: z.coerce.number('is not a number').int().min(0).max(100, 'is more than 100').optional(),
    example: '3',
    description:
      'Number of canary accounts that a rotation moves first. The other accounts follow when the canary accounts use the new version and serve data. `0`: no canary.',
    fallback: '`0`',
  }),
  CMK_TENANT_ID: createSetting({
    schema: z.string().trim().optional(),
    example: '44444444-4444-4444-4444-444444444444',
    description: 'Entra ID tenant whose access tokens the HTTP API accepts.',
    fallback: 'the app rejects every call of the API',
  }),
  CMK_API_AUDIENCE: createSetting({
    schema: list.optional(),
    example: '55555555-5555-5555-5555-555555555555',
    description: "Client id of the API's app registration, and its App ID URI if v1.0 tokens are used.",
    fallback: 'the app rejects every call of the API',
  }),
  CMK_DUAL_CONTROL: createSetting({
    schema: onOff.optional(),
    example: 'on',
    description: 'Whether dual control is on: a second person must restore a key.',
    fallback: '`on`',
  }),
  CMK_PROBE_BLOBS: createSetting({
    schema: onOff.optional(),
    example: 'off',
    description:
      'Whether the app probes the blob service of an account that has no file share, after a revocation or restore (`on`). The probe requires a role, which the deployment parameter `allowBlobProbe` assigns together with this setting.',
    fallback: '`off`',
  }),
  CMK_CLIENTS: createSetting({
    schema: list.pipe(z.array(guid)).optional(),
    example: '04b07795-8ddb-461a-bbee-02f9e1bf7b46',
    description:
      'Client ids of the clients whose tokens the API accepts. An application that calls with its own identity is its own client.',
    fallback: 'every client to which Entra ID issues a token',
  }),
  CMK_RESTORE_APPLICATIONS: createSetting({
    schema: list.pipe(z.array(guid)).optional(),
    example: '66666666-6666-6666-6666-666666666666',
    description: 'Client ids of applications that may restore a key. Without it, only people may restore.',
    fallback: 'none',
  }),
  CMK_STEP_UP: createSetting({
    schema: z
      .string()
      .trim()
      .toLowerCase()
      .regex(/^c[1-9]\d?$/, 'is not an authentication context, c1 to c99')
      .optional(),
    example: 'c1',
    description:
      'Authentication context of Entra ID that the sign-in of a person must satisfy to revoke or restore a key.',
    fallback: 'no authentication context is required',
  }),
  CMK_ROLE_SCOPES: createSetting({
    schema: ROLE_SCOPES.optional(),
    example:
      '[{"role":"CmkKey.Revoke","principal":"77777777-7777-7777-7777-777777777777","keys":["kv-files","kv-records/records-key"]}]',
    description:
      'Roles that reach only some keys: a JSON array of `role`, `keys` (vaults, or `vault/key`) and `principal` (an object id; absent: every caller with the role).',
    fallback: 'every role reaches every key',
  }),
  CMK_PAGE_SIGN_IN: createSetting({
    schema: z
      .string()
      .trim()
      .regex(/^(?:off|https?:\/\/[^/\s;,'"]+\/?)$/i, 'is not the origin of a sign-in service or off')
      .transform((text) => (/^off$/i.test(text) ? 'off' : new URL(text).origin))
      .refine((origin) => !origin.startsWith('http:') || LOOPBACK.test(origin), 'is not encrypted (https)')
      .optional(),
    example: 'https://login.microsoftonline.com',
    description:
      'Origin of Entra ID where users of the page at `/` sign in, if it differs from the default origin of the cloud. `off`: the app serves no page.',
    fallback: "the cloud's own",
  }),
  CMK_AUTOFIX: createSetting({
    schema: list
      .refine(
        (codes) => codes.every((code) => isFixable(code) || /^none$/i.test(code)),
        `has a value other than ${FIXABLE.join(', ')} or none`,
      )
      .refine((codes) => codes.length < 2 || codes.every(isFixable), 'has other values beside none')
      .transform((codes) => codes.filter(isFixable))
      .optional(),
    example: 'StaleKeyVersion,ScopeStaleKeyVersion,LaggingAutomaticVersion,EventSubscriptionMissing',
    description: 'Reason codes of drift that the check fixes automatically; `none` fixes nothing.',
    fallback: `the effects of lost events: ${DEFAULT_AUTOFIX.map((code) => `\`${code}\``).join(', ')}`,
  }),
  CMK_REQUIRE: createSetting({
    schema: list
      .refine((rules) => rules.every((rule) => parseRequirement(rule)), 'has a value other than all, tag: or an ARM id')
      .transform((rules) => rules.flatMap((rule) => parseRequirement(rule) ?? []))
      .optional(),
    example: 'tag:data-class=confidential,/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-files',
    description:
      'Accounts that must use a customer-managed key: `all`, `tag:name=value`, or accounts below an ARM id. Accounts with the tag `cmk-key` must always use such a key.',
    fallback: 'accounts with the tag `cmk-key`',
  }),
  CMK_EXEMPTIONS: createSetting({
    schema: EXEMPTIONS.optional(),
    example:
      '[{"resource":"*/storageAccounts/stlegacy01","code":"StaleKeyVersion","reason":"CHG-1234","until":"2027-03-31"}]',
    description: 'Drift that is exempt until a date: a JSON array of `resource`, `code`, `reason` and `until`.',
    fallback: 'none',
  }),
  CMK_KEY_MINIMUM: createSetting({
    schema: z
      .string()
      .trim()
      .toUpperCase()
      .regex(/^RSA(?:-HSM)?-(?:2048|3072|4096)$/, 'is not RSA or RSA-HSM with 2048, 3072 or 4096 bits')
      .transform((kind) => ({ bits: Number(kind.slice(-4)), hsm: kind.startsWith('RSA-HSM') }))
      .optional(),
    example: 'RSA-HSM-3072',
    description: 'Minimum key type and size: `RSA-` and the bits, or `RSA-HSM-` and the bits for a key in hardware.',
    fallback: 'every key that Storage accepts',
  }),
  CMK_DRILL_INTERVAL: createSetting({
    schema: z
      .string()
      .trim()
      .refine((text) => (parseEvenDays(text) ?? 0) >= 1, 'is not a duration of at least a day')
      .optional(),
    example: 'P90D',
    description:
      'Longest time between two drills of break-glass that pass ([docs/how-to/drill.md](docs/how-to/drill.md)).',
    fallback: 'the app expects no drills',
  }),
  CMK_USAGE_WORKSPACE: createSetting({
    schema: guid.optional(),
    example: '88888888-8888-8888-8888-888888888888',
    description:
      "Workspace id of the Log Analytics workspace with the vaults' audit logs, which show the users of each version.",
    fallback: 'no evidence; the app retires no version automatically',
  }),
  CMK_OTHER_DEPENDENTS: createSetting({
    schema: z.enum(['all', 'listed', 'none']).optional(),
    example: 'all',
    description:
      'Other resources with keys that the app may read: `all`, the types in `infra/key-users.json` (`listed`), or `none`. The deployment sets it from its parameter `otherDependents`. Without `all` the app retires no version automatically.',
    fallback: '`listed`: without the setting, the app assumes that it cannot read all types',
  }),
  CMK_NOTIFY: createSetting({
    schema: NOTIFY_CONFIG.optional(),
    example:
      '{"targets":[{"name":"ops","kind":"teams","address":"https://flow.example/hooks/1","notifications":["revoked","digest"]}]}',
    description:
      'Receivers of notifications, as JSON ([docs/how-to/notifications.md](docs/how-to/notifications.md)). The value has addresses and secrets, so set it as a Key Vault reference.',
    fallback: 'no notifications',
  }),
  CMK_FUNCTION_APP_ID: createSetting({
    schema: z
      .string()
      .trim()
      .refine(
        (id) => parseResourceId(id)?.type.toLowerCase() === 'microsoft.web/sites',
        'is not the ARM id of a function app',
      )
      .optional(),
    example:
      '/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-cmk/providers/Microsoft.Web/sites/func-cmk',
    description: 'ARM id of this function app, which must receive the events of the vaults.',
    fallback: 'the app does not check event subscriptions',
  }),
  CMK_WATCH_CHANGES: createSetting({
    schema: onOff.optional(),
    example: 'on',
    description:
      'Whether Azure Resource Manager notifies the app of changes to accounts, roles, vaults and identities (`on`), or only the hourly drift check finds them (`off`). The deployment sets it from its parameter `watchChanges`, and assigns the required roles.',
    fallback: '`on`',
  }),
  CMK_SYSTEM_TOPICS: createSetting({
    schema: SYSTEM_TOPICS.optional(),
    example:
      '{"/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-files":"/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-events/providers/Microsoft.EventGrid/systemTopics/evgt-kv-files"}',
    description:
      'System topic of each managed vault, as JSON that maps the ARM id of the vault to the ARM id of the topic.',
    fallback: '`evgt-<vault>` in the resource group of the vault, else found in its subscription',
  }),
} as const;

export type SettingName = keyof typeof SETTINGS;
