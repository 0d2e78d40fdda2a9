import { z } from 'zod';
import { parseResourceId, RESOURCE_GROUP, type ResourceId } from '../azure/resource-id.ts';
import { apiVersionOf, KEY_USER_TYPES } from '../keys/key-user-types.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';

/**
 * What a change may concern: an account, the users of an identity, all in a resource group, vaults at or below a scope, the
 * network of the vaults alone, or a resource of another service.
 */
export const CONCERNS = ['account', 'identity', 'group', 'vault', 'perimeter', 'keyUser'] as const;
type Concern = (typeof CONCERNS)[number];

/**
 * The operations of Azure Resource Manager that the app subscribes to, each with what it concerns: for a child or extension
 * resource, its parent. Each list is an event subscription, which may have 25 filter values, one of them the app's client id.
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

/** Of each event subscription. */
export const WATCHED_OPERATIONS: readonly (readonly string[])[] = LISTS.map((list) => Object.keys(list));
export const WATCHED_EVENT_TYPES = [
  'Microsoft.Resources.ResourceWriteSuccess',
  'Microsoft.Resources.ResourceDeleteSuccess',
] as const;

const BY_LOWER_CASE = new Map(
  LISTS.flatMap((list) => Object.entries(list)).map(([name, concern]) => [name.toLowerCase(), { name, concern }]),
);

/** Who changed a resource, as the event says; nothing else of its claims is kept. */
export const CHANGED_BY = z.object({
  objectId: z.string().max(100).optional().describe('Object id of the person or application, if the event has it.'),
  name: z.string().max(200).optional().describe('Name of the person.'),
  client: z.string().max(100).optional().describe('Client id of the application that made the call.'),
  on: z.iso.datetime().describe('When.'),
  operation: z.string().max(200).describe('What was done: `Microsoft.Storage/storageAccounts/write`.'),
  resource: z.string().max(1_000).describe('ARM id of what was written or deleted.'),
  correlationId: z.string().max(100).optional().describe('Finds the call in the activity log.'),
  confirmed: z.boolean().describe('False: reported by the event. True: the activity log says the same.'),
});
export type ChangedBy = z.output<typeof CHANGED_BY>;

/** A change that an event reports, or of a key that the app revoked or restored. It decides what is read, and nothing else. */
export interface ResourceChange {
  /** Of the event: the same for each delivery of it. */
  readonly id: string;
  readonly concern: Concern | 'key';
  /** ARM id of the account, identity, group or key user; or of a vault, a part of it, or a scope that contains it. Of a key, its identifier. */
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
      // An event may have none, and its schema of 2018 had them as text.
      .catch({}),
  }),
});

interface ResourceEventRules {
  readonly vaults: ManagedVaults;
  /** Watched subscriptions; undefined: all. */
  readonly subscriptions: readonly string[] | undefined;
  /** Client id of the app's own identity, whose writes are ignored. */
  readonly clientId: string | undefined;
  readonly now: () => Date;
}

/**
 * Parses an event of a subscription, as CloudEvents 1.0 or in the Event Grid schema. Undefined: it is malformed, or concerns
 * nothing that the app looks after. Reads nothing from Azure.
 */
export function parseResourceEvent(event: unknown, rules: ResourceEventRules): ResourceChange | undefined {
  const fields = typeof event === 'object' && event !== null ? (event as Record<string, unknown>) : {};
  // The cheapest test first: most events of a subscription end here.
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
  // Vaults may be in a subscription whose accounts are not watched.
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

/** Whether a change at a place concerns a resource: it is the place, is below it, or the place is below it. */
export function isConcerned(resource: string, at: string): boolean {
  const [one, other] = [`${resource}/`.toLowerCase(), `${at}/`.toLowerCase()];
  return one.startsWith(other) || other.startsWith(one);
}

/** Undefined: the subject is no ARM id of that kind. */
function placeOf(subject: string, concern: Concern): string | undefined {
  const [, group, name = ''] = /^(\/subscriptions\/[^/]+\/resourceGroups\/([^/]+))/i.exec(subject) ?? [];
  if (group !== undefined && !RESOURCE_GROUP.test(name)) return undefined;
  const subscription = /^\/subscriptions\/[^/]+/i.exec(subject)?.[0];
  // A system topic may be in another resource group than its vault.
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
      // Of a child, an access policy say, the vault.
      return (
        extended ??
        topLevel(subject, 'Microsoft.KeyVault/vaults') ??
        topLevel(subject, 'Microsoft.KeyVault/managedHSMs')
      );
    }
  }
}

/** The resource of a type at the beginning of an ARM id. */
function topLevel(id: string, type: string): string | undefined {
  const own = ownerOf(id);
  return own?.type.toLowerCase() === type.toLowerCase() ? own.id : undefined;
}

/** The top-level resource that an ARM id is of, or below. */
function ownerOf(id: string): ResourceId | undefined {
  return parseResourceId(id.split('/').slice(0, 9).join('/'));
}

/** The key of a SQL server is set at a child of it. */
function withProtector(type: string): string {
  return type.startsWith('Microsoft.Sql/') ? `${type}/encryptionProtector` : type;
}

function subscriptionOf(id: string): string | undefined {
  return /^\/subscriptions\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\/|$)/i.exec(id)?.[1]?.toLowerCase();
}
