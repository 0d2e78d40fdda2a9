import { z } from 'zod';
import { parseResourceId, RESOURCE_GROUP, type ResourceId } from '../azure/resource-id.ts';
import { apiVersionOf, KEY_USER_TYPES } from '../keys/key-user-types.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';

/**
 * Scope of a change: an account, the users of an identity, a resource group, vaults at or below a scope, the network of
 * the vaults, or a resource of another service.
 */
export const CONCERNS = ['account', 'identity', 'group', 'vault', 'perimeter', 'keyUser'] as const;
type Concern = (typeof CONCERNS)[number];

/**
 * Operations of Azure Resource Manager that the app subscribes to, with their scopes. For child and extension resources
 * the scope is the parent. Each list is an event subscription with at most 25 filter values, including the app's client
 * id.
 */
const LISTS: readonly Readonly<Record<string, Concern>>[] = [
  {
    'Microsoft.Storage/storageAccounts/write': 'account',
    'Microsoft.Storage/storageAccounts/delete': 'account',
    'Microsoft.Storage/storageAccounts/encryptionScopes/write': 'account',
    'Microsoft.ManagedIdentity/userAssignedIdentities/write': 'identity',
    'Microsoft.ManagedIdentity/userAssignedIdentities/delete': 'identity',
    'Microsoft.Resources/subscriptions/resourceGroups/delete': 'group',
    'Microsoft.Authorization/roleAssignments/write': 'vault',
    'Microsoft.Authorization/roleAssignments/delete': 'vault',
    'Microsoft.Authorization/roleDefinitions/write': 'vault',
    'Microsoft.Authorization/roleDefinitions/delete': 'vault',
    'Microsoft.Authorization/locks/write': 'vault',
    'Microsoft.Authorization/locks/delete': 'vault',
    'Microsoft.KeyVault/vaults/write': 'vault',
    'Microsoft.KeyVault/vaults/delete': 'vault',
    'Microsoft.KeyVault/vaults/accessPolicies/write': 'vault',
    'Microsoft.KeyVault/managedHSMs/write': 'vault',
    'Microsoft.KeyVault/managedHSMs/delete': 'vault',
    'Microsoft.Insights/diagnosticSettings/write': 'vault',
    'Microsoft.Insights/diagnosticSettings/delete': 'vault',
    'Microsoft.EventGrid/eventSubscriptions/write': 'vault',
    'Microsoft.EventGrid/eventSubscriptions/delete': 'vault',
    'Microsoft.EventGrid/systemTopics/delete': 'vault',
    'Microsoft.EventGrid/systemTopics/eventSubscriptions/write': 'vault',
    'Microsoft.EventGrid/systemTopics/eventSubscriptions/delete': 'vault',
  },
  {
    'Microsoft.Network/networkSecurityPerimeters/resourceAssociations/write': 'perimeter',
    'Microsoft.Network/networkSecurityPerimeters/resourceAssociations/delete': 'perimeter',
    ...Object.fromEntries(
      Object.keys(KEY_USER_TYPES).map((type) => [`${withProtector(type)}/write`, 'keyUser'] as const),
    ),
  },
];

/** The operations of each event subscription. */
export const WATCHED_OPERATIONS: readonly (readonly string[])[] = LISTS.map((list) => Object.keys(list));
export const WATCHED_EVENT_TYPES = [
  'Microsoft.Resources.ResourceWriteSuccess',
  'Microsoft.Resources.ResourceDeleteSuccess',
] as const;

const BY_LOWER_CASE = new Map(
  LISTS.flatMap((list) => Object.entries(list)).map(([name, concern]) => [name.toLowerCase(), { name, concern }]),
);

/** Author of a change according to the event. The app stores no other claims. */
export const CHANGED_BY = z.object({
  objectId: z.string().max(100).optional().describe('Object id of the user or application, if the event contains it.'),
  name: z.string().max(200).optional().describe('Name of the user.'),
  client: z.string().max(100).optional().describe('Client id of the application that made the call.'),
  on: z.iso.datetime().describe('Time of the change.'),
  operation: z.string().max(200).describe('The operation: `Microsoft.Storage/storageAccounts/write`.'),
  resource: z.string().max(1_000).describe('ARM id of the written or deleted resource.'),
  correlationId: z.string().max(100).optional().describe('Correlation id of the call in the activity log.'),
  confirmed: z.boolean().describe('False: only the event reports it. True: the activity log confirms it.'),
});
export type ChangedBy = z.output<typeof CHANGED_BY>;

/**
 * A change reported by an event, or a revocation or restore of a key by the app. It only determines which resources the
 * app reads.
 */
export interface ResourceChange {
  /** Id of the event. Each delivery of the event has the same id. */
  readonly id: string;
  readonly concern: Concern | 'key';
  /**
   * ARM id of the account, identity, group or key user. For `vault`: a vault, a part of it or a parent scope. For
   * `key`: its identifier.
   */
  readonly at: string;
  readonly changedBy: ChangedBy;
}

const text = (most: number) => z.string().trim().min(1).max(most);
const OBJECT_ID = 'http://schemas.microsoft.com/identity/claims/objectidentifier';
const EVENT = z.object({
  id: text(128),
  time: z.string().max(40),
  type: z.string(),
  subject: text(1_000),
  data: z.object({
    operationName: text(200),
    correlationId: text(100).optional().catch(undefined),
    claims: z
      .object({
        appid: z.guid().optional().catch(undefined),
        name: text(200).optional().catch(undefined),
        [OBJECT_ID]: z.guid().optional().catch(undefined),
      })
      // An event may lack claims. The 2018 schema contains them as text.
      .catch({}),
  }),
});

interface ResourceEventRules {
  readonly vaults: ManagedVaults;
  /** Watched subscriptions; undefined: every subscription. */
  readonly subscriptions: readonly string[] | undefined;
  /** Client id of the app's own identity, whose writes are ignored. */
  readonly clientId: string | undefined;
  readonly now: () => Date;
}

/**
 * Parses an event of a subscription, in CloudEvents 1.0 or in the Event Grid schema. Undefined if it is malformed or
 * concerns no managed resource. Does not call Azure.
 */
export function parseResourceEvent(event: unknown, rules: ResourceEventRules): ResourceChange | undefined {
  const fields = typeof event === 'object' && event !== null ? (event as Record<string, unknown>) : {};
  // Cheapest test first, because it rejects most events.
  const named = (fields.data as { operationName?: unknown } | undefined)?.operationName;
  const operation = typeof named === 'string' ? BY_LOWER_CASE.get(named.trim().toLowerCase()) : undefined;
  if (operation === undefined) return undefined;
  const { type = fields.eventType, time = fields.eventTime } = fields;
  const { data: parsed } = EVENT.safeParse({ ...fields, type, time });
  if (!parsed || !WATCHED_EVENT_TYPES.some((one) => one.toLowerCase() === parsed.type.toLowerCase())) return undefined;
  const { id, subject } = parsed;
  const { claims, correlationId } = parsed.data;
  if (rules.clientId !== undefined && claims.appid?.toLowerCase() === rules.clientId.toLowerCase()) return undefined;
  const { concern } = operation;
  const at = placeOf(subject, concern);
  if (!at) return undefined;
  const subscription = subscriptionOf(at) ?? '';
  // The subscription of a vault may not be watched for accounts.
  const isWatched =
    concern === 'vault' || concern === 'perimeter'
      ? rules.vaults.all.some((vault) => isConcerned(vault.id, at))
      : rules.subscriptions?.includes(subscription) !== false;
  if (!isWatched) return undefined;
  const ms = Math.min(Date.parse(parsed.time), rules.now().getTime());
  const changedBy: ChangedBy = {
    ...(claims[OBJECT_ID] ? { objectId: claims[OBJECT_ID] } : {}),
    ...(claims.name ? { name: claims.name } : {}),
    ...(claims.appid ? { client: claims.appid } : {}),
    on: (Number.isNaN(ms) ? rules.now() : new Date(ms)).toISOString(),
    operation: operation.name,
    resource: subject,
    ...(correlationId ? { correlationId } : {}),
    confirmed: false,
  };
  return { id, concern, at, changedBy };
}

/** Whether a change at a scope affects a resource: either contains the other, or both are equal. */
export function isConcerned(resource: string, at: string): boolean {
  const [one, other] = [`${resource}/`.toLowerCase(), `${at}/`.toLowerCase()];
  return one.startsWith(other) || other.startsWith(one);
}

/** Undefined if the subject is not an ARM id of that kind. */
function placeOf(subject: string, concern: Concern): string | undefined {
  const [, group, name = ''] = /^(\/subscriptions\/[^/]+\/resourceGroups\/([^/]+))/i.exec(subject) ?? [];
  if (group !== undefined && !RESOURCE_GROUP.test(name)) return undefined;
  const subscription = /^\/subscriptions\/[^/]+/i.exec(subject)?.[0];
  // A system topic and its vault may be in different resource groups.
  if (/\/Microsoft\.EventGrid\/systemTopics\//i.test(subject)) return subscription;
  switch (concern) {
    case 'group':
      return group?.length === subject.length ? group : undefined;
    case 'account':
      return topLevel(subject, 'Microsoft.Storage/storageAccounts');
    case 'identity':
      return topLevel(subject, 'Microsoft.ManagedIdentity/userAssignedIdentities');
    case 'keyUser': {
      const own = ownerOf(subject);
      return own && apiVersionOf(own.type) !== undefined ? own.id : undefined;
    }
    case 'perimeter':
      // The event does not name the associated resource, which may be in any subscription.
      return group === undefined ? undefined : '/subscriptions';
    case 'vault': {
      const extended = /^(.*)\/providers\/Microsoft\.(?:Authorization|Insights|EventGrid)\//i.exec(subject)?.[1];
      // For a child such as an access policy, the vault.
      return (
        extended ??
        topLevel(subject, 'Microsoft.KeyVault/vaults') ??
        topLevel(subject, 'Microsoft.KeyVault/managedHSMs')
      );
    }
  }
}

/** The resource of the given type in an ARM id. */
function topLevel(id: string, type: string): string | undefined {
  const own = ownerOf(id);
  return own?.type.toLowerCase() === type.toLowerCase() ? own.id : undefined;
}

/** The top-level resource of an ARM id. */
function ownerOf(id: string): ResourceId | undefined {
  return parseResourceId(id.split('/').slice(0, 9).join('/'));
}

/** A child resource of the SQL server sets its key. */
function withProtector(type: string): string {
  return type.startsWith('Microsoft.Sql/') ? `${type}/encryptionProtector` : type;
}

function subscriptionOf(id: string): string | undefined {
  return /^\/subscriptions\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\/|$)/i.exec(id)?.[1]?.toLowerCase();
}
