// Definitions of Azure Policy that concern the app, as data: what their public JSON tests, in words of our own. Built-in ones
// by id (Azure/azure-policy@f4a50bac), those of Azure landing zones by name (Azure/Enterprise-Scale@dbd9bd21). Parameters are
// at the values that the initiatives give them. Of Enforce-Guardrails-Storage 1.1.0 four are left out, which test no account or
// scope of today: classic storage, File Sync, Defender, and the age of account keys, of which no resource here has a limit.
import { asArray, at, type Json, type JsonObject } from './arm/json.ts';

/** What a definition looks for. A path is of the resource's body, or `type`. */
export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly path: string; readonly equals: Json }
  | { readonly path: string; readonly notEquals: Json }
  | { readonly path: string; readonly notIn: readonly Json[] }
  | { readonly path: string; readonly contains: string }
  | { readonly path: string; readonly notContains: string }
  | { readonly path: string; readonly less: number }
  | { readonly path: string; readonly hasItems: true };

export interface Definition {
  /** GUID of a built-in definition, name of one of Azure landing zones. */
  readonly id: string;
  readonly version: string;
  /** Initiatives that assign it with this effect; none: assigned by itself. */
  readonly in: readonly (
    | 'Enforce-Guardrails-Storage'
    | 'Enforce-Guardrails-AppServices'
    | 'Deny-PublicPaaSEndpoints'
  )[];
  readonly effect: 'Deny' | 'Modify';
  readonly type: string;
  readonly matches: Condition;
}

const STORAGE = 'Microsoft.Storage/storageAccounts';
const SCOPES = 'Microsoft.Storage/storageAccounts/encryptionScopes';
const SITES = 'Microsoft.Web/sites';
const STORAGE_GUARDRAILS = ['Enforce-Guardrails-Storage'] as const;
const APP_GUARDRAILS = ['Enforce-Guardrails-AppServices'] as const;
const ENDPOINTS = ['Deny-PublicPaaSEndpoints'] as const;

const account = { type: STORAGE, effect: 'Deny' } as const;
const cors = { path: 'properties.cors.corsRules', hasItems: true } as const;
const functionApp: readonly Condition[] = [
  { path: 'kind', contains: 'functionapp' },
  { path: 'kind', notContains: 'workflowapp' },
  { path: 'kind', notContains: 'azurecontainerapps' },
];

export const DEFINITIONS: readonly Definition[] = [
  {
    ...account,
    id: 'Deny-Storage-CopyScope',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    matches: { path: 'properties.allowedCopyScope', notEquals: 'AAD' },
  },
  {
    ...account,
    id: 'Deny-Storage-ServicesEncryption',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    matches: {
      any: [
        { path: 'properties.encryption.services.blob.enabled', notEquals: true },
        { path: 'properties.encryption.services.file.enabled', notEquals: true },
        { path: 'properties.encryption.services.queue.keyType', notEquals: 'Account' },
        { path: 'properties.encryption.services.table.keyType', notEquals: 'Account' },
      ],
    },
  },
  {
    // The initiative has it as Disabled; a company may turn it on.
    ...account,
    id: 'Deny-Storage-LocalUser',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    matches: { path: 'properties.isLocalUserEnabled', notEquals: false },
  },
  {
    ...account,
    id: 'Deny-Storage-SFTP',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    matches: { path: 'properties.isSftpEnabled', equals: true },
  },
  {
    ...account,
    id: 'Deny-Storage-NetworkAclsBypass',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    matches: { path: 'properties.networkAcls.bypass', notIn: ['None'] },
  },
  {
    ...account,
    id: 'Deny-Storage-ResourceAccessRulesTenantId',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    // Of other tenants; the app writes none at all.
    matches: { path: 'properties.networkAcls.resourceAccessRules', hasItems: true },
  },
  {
    ...account,
    id: 'Deny-Storage-ResourceAccessRulesResourceId',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    // Of any subscription; the app writes none at all.
    matches: { path: 'properties.networkAcls.resourceAccessRules', hasItems: true },
  },
  {
    ...account,
    id: 'Deny-Storage-NetworkAclsVirtualNetworkRules',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    matches: { path: 'properties.networkAcls.virtualNetworkRules', hasItems: true },
  },
  {
    id: 'Deny-Storage-ContainerDeleteRetentionPolicy',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    effect: 'Deny',
    type: `${STORAGE}/blobServices`,
    matches: {
      any: [
        { path: 'properties.containerDeleteRetentionPolicy.enabled', notEquals: true },
        { path: 'properties.containerDeleteRetentionPolicy.days', less: 7 },
      ],
    },
  },
  ...['blobServices', 'fileServices', 'tableServices', 'queueServices'].map(
    (service): Definition => ({
      id: 'Deny-Storage-CorsRules',
      version: '1.0.0',
      in: STORAGE_GUARDRAILS,
      effect: 'Deny',
      type: `${STORAGE}/${service}`,
      matches: cors,
    }),
  ),
  {
    id: 'bfecdea6-31c4-4045-ad42-71b9dc87247d',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    effect: 'Deny',
    type: SCOPES,
    matches: { path: 'properties.requireInfrastructureEncryption', notEquals: true },
  },
  {
    ...account,
    id: '92a89a79-6c52-4a7e-a03f-61306fc49312',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    matches: { path: 'properties.allowCrossTenantReplication', notEquals: false },
  },
  {
    ...account,
    id: '8c6a50c6-9ffd-4ae7-986f-5fa6111f9a54',
    version: '2.0.0',
    in: STORAGE_GUARDRAILS,
    matches: { path: 'properties.allowSharedKeyAccess', notEquals: false },
  },
  {
    ...account,
    id: '4733ea7b-a883-42fe-8cac-97454c2a9e4a',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    matches: { path: 'properties.encryption.requireInfrastructureEncryption', notEquals: true },
  },
  {
    ...account,
    id: '34c877ad-507e-4c82-993e-3452a6e0ad3c',
    version: '1.1.1',
    in: STORAGE_GUARDRAILS,
    matches: { path: 'properties.networkAcls.defaultAction', notEquals: 'Deny' },
  },
  {
    ...account,
    id: '2a1a9cdf-e04d-429a-8416-3bfb72a1b26f',
    version: '1.0.1',
    in: STORAGE_GUARDRAILS,
    matches: {
      any: [
        { path: 'properties.networkAcls.defaultAction', notEquals: 'Deny' },
        { path: 'properties.networkAcls.ipRules', hasItems: true },
      ],
    },
  },
  {
    ...account,
    id: '13502221-8df0-4414-9937-de9c5c4e396b',
    version: '1.0.0',
    in: STORAGE_GUARDRAILS,
    effect: 'Modify',
    matches: { path: 'properties.allowBlobPublicAccess', equals: true },
  },
  {
    ...account,
    id: 'a06d0189-92e8-4dba-b0c4-08d7669fce7d',
    version: '1.0.1',
    in: STORAGE_GUARDRAILS,
    effect: 'Modify',
    matches: { path: 'properties.publicNetworkAccess', notEquals: 'Disabled' },
  },
  {
    ...account,
    id: 'b2982f36-99f2-4db5-8eff-283140c09693',
    version: '1.0.1',
    in: ENDPOINTS,
    matches: { path: 'properties.publicNetworkAccess', notEquals: 'Disabled' },
  },
  {
    ...account,
    id: '4fa4b6c0-31ca-4c0d-b10d-24b96f62a751',
    version: '3.1.1',
    in: ENDPOINTS,
    matches: { path: 'properties.allowBlobPublicAccess', notEquals: false },
  },
  {
    ...account,
    id: 'f0e5abd0-2554-4736-b7c0-4ffef23475ef',
    version: '1.0.0',
    in: [],
    matches: {
      all: [
        { path: 'properties.encryption.keySource', equals: 'Microsoft.Keyvault' },
        { path: 'properties.encryption.services.queue.keyType', notEquals: 'Account' },
      ],
    },
  },
  {
    ...account,
    id: '7c322315-e26d-4174-a99e-f49d351b4688',
    version: '1.0.0',
    in: [],
    matches: {
      all: [
        { path: 'properties.encryption.keySource', equals: 'Microsoft.Keyvault' },
        { path: 'properties.encryption.services.table.keyType', notEquals: 'Account' },
      ],
    },
  },
  {
    id: 'b5ec538c-daa0-4006-8596-35468b9148e8',
    version: '1.0.0',
    in: [],
    effect: 'Deny',
    type: SCOPES,
    matches: { path: 'properties.source', notEquals: 'Microsoft.Keyvault' },
  },
  {
    id: '6d555dd1-86f2-4f1c-8ed7-5abae7c6cbab',
    version: '5.1.0',
    in: [],
    effect: 'Deny',
    type: SITES,
    matches: { all: [...functionApp, { path: 'properties.httpsOnly', notEquals: true }] },
  },
  {
    id: '969ac98b-88a8-449f-883c-2e9adb123127',
    version: '1.2.0',
    in: ENDPOINTS,
    effect: 'Deny',
    type: SITES,
    matches: { all: [...functionApp, { path: 'properties.publicNetworkAccess', notEquals: 'Disabled' }] },
  },
  {
    id: '546fe8d2-368d-4029-a418-6af48a7f61e5',
    version: '4.3.0',
    in: APP_GUARDRAILS,
    effect: 'Deny',
    type: 'Microsoft.Web/serverfarms',
    // Plans without private endpoints; of its long list, the one that is used here.
    matches: { path: 'sku.name', notIn: ['FC1'] },
  },
];

/** @returns the definitions that a resource with this body does not comply with */
export function violated(type: string, body: JsonObject): Definition[] {
  return DEFINITIONS.filter(
    (definition) => definition.type.toLowerCase() === type.toLowerCase() && holds(definition.matches, body),
  );
}

/** As Azure Policy compares: text without its case, and a field that is missing equals nothing. */
function holds(condition: Condition, body: JsonObject): boolean {
  if ('all' in condition) return condition.all.every((one) => holds(one, body));
  if ('any' in condition) return condition.any.some((one) => holds(one, body));

  const value = at(body, ...condition.path.split('.'));
  const text = lower(value);

  if ('equals' in condition) return text === lower(condition.equals);
  if ('notEquals' in condition) return text !== lower(condition.notEquals);
  if ('notIn' in condition) return !condition.notIn.some((one) => text === lower(one));
  if ('contains' in condition) return text.includes(condition.contains);
  if ('notContains' in condition) return !text.includes(condition.notContains);
  if ('less' in condition) return typeof value === 'number' && value < condition.less;

  return asArray(value ?? [], condition.path).length > 0;
}

const lower = (value: Json | undefined): string => String(value ?? '').toLowerCase();
