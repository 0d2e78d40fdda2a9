import { z } from 'zod';
import { parseResourceId, RESOURCE_GROUP } from '../azure/resource-id.ts';
import { findKeyUserType, listKeySettingTypes } from '../key-users/key-user-types.ts';
import type { ManagedVaults } from '../keys/managed-vaults.ts';

/**
 * Scope of a change: an account, the users of an identity, a resource group, vaults at or below a scope, the network of
 * the vaults, or a resource of another service.
 */
export const CONCERNS = ['account', 'identity', 'group', 'vault', 'perimeter', 'keyUser'] as const;
type Concern = (typeof CONCERNS)[number];

/**
 * Operations of Azure Resource Manager that the app subscribes to, by resource type, with their scopes. For child and
 * extension resources the scope is the parent. Each list is an event subscription with at most 25 filter values,
 * including the app's client id.
 */
const LISTS: readonly (readonly (readonly [type: string, operations: string, concern: Concern])[])[] = [
  [
    ['Microsoft.Storage/storageAccounts', 'write delete', 'account'],
    ['Microsoft.Storage/storageAccounts/encryptionScopes', 'write', 'account'],
    ['Microsoft.ManagedIdentity/userAssignedIdentities', 'write delete', 'identity'],
    ['Microsoft.Resources/subscriptions/resourceGroups', 'delete', 'group'],
    ['Microsoft.Authorization/roleAssignments', 'write delete', 'vault'],
    ['Microsoft.Authorization/roleDefinitions', 'write delete', 'vault'],
    ['Microsoft.Authorization/locks', 'write delete', 'vault'],
    ['Microsoft.KeyVault/vaults', 'write delete', 'vault'],
    ['Microsoft.KeyVault/vaults/accessPolicies', 'write', 'vault'],
    ['Microsoft.KeyVault/managedHSMs', 'write delete', 'vault'],
    ['Microsoft.Insights/diagnosticSettings', 'write delete', 'vault'],
    ['Microsoft.EventGrid/eventSubscriptions', 'write delete', 'vault'],
    ['Microsoft.EventGrid/systemTopics', 'delete', 'vault'],
    ['Microsoft.EventGrid/systemTopics/eventSubscriptions', 'write delete', 'vault'],
  ],
  [
    ['Microsoft.Network/networkSecurityPerimeters/resourceAssociations', 'write delete', 'perimeter'],
    ...listKeySettingTypes().map((type) => [type, 'write', 'keyUser'] as const),
  ],
];
const OPERATIONS = LISTS.map((list) =>
  list.flatMap(([type, operations, concern]) =>
    operations.split(' ').map((operation) => ({ name: `${type}/${operation}`, concern })),
  ),
);

/** The operations of each event subscription. */
export const WATCHED_OPERATIONS: readonly (readonly string[])[] = OPERATIONS.map((list) =>
  list.map(({ name }) => name),
);
export const WATCHED_EVENT_TYPES = [
  'Microsoft.Resources.ResourceWriteSuccess',
  'Microsoft.Resources.ResourceDeleteSuccess',
] as const;

const BY_LOWER_CASE = new Map(OPERATIONS.flat().map((operation) => [operation.name.toLowerCase(), operation]));

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

  const [, subscription = ''] = SUBSCRIPTION.exec(at.toLowerCase()) ?? [];

  // The subscription of a vault may not be watched for accounts.
  const isWatched =
    concern === 'vault' || concern === 'perimeter'
      ? rules.vaults.all.some((vault) => isConcerned(vault.id, at))
      : rules.subscriptions?.includes(subscription) !== false;
  if (!isWatched) return undefined;

  const ms = Math.min(Date.parse(parsed.time), rules.now().getTime());
  const changedBy: ChangedBy = {
    objectId: claims[OBJECT_ID],
    name: claims.name,
    client: claims.appid,
    on: (Number.isNaN(ms) ? rules.now() : new Date(ms)).toISOString(),
    operation: operation.name,
    resource: subject,
    correlationId,
    confirmed: false,
  };

  return { id, concern, at, changedBy };
}

const SUBSCRIPTION = /^\/subscriptions\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\/|$)/;

/** Whether a change at a scope affects a resource: either contains the other, or both are equal. */
export function isConcerned(resource: string, at: string): boolean {
  const one = `${resource}/`.toLowerCase();
  const other = `${at}/`.toLowerCase();
  return one.startsWith(other) || other.startsWith(one);
}

/** Undefined if the subject is not an ARM id of that kind. */
function placeOf(subject: string, concern: Concern): string | undefined {
  const [, group, name = ''] = /^(\/subscriptions\/[^/]+\/resourceGroups\/([^/]+))/i.exec(subject) ?? [];
  if (group !== undefined && !RESOURCE_GROUP.test(name)) return undefined;

  const subscription = /^\/subscriptions\/[^/]+/i.exec(subject)?.[0];

  // A system topic and its vault may be in different resource groups.
  if (/\/Microsoft\.EventGrid\/systemTopics\//i.test(subject)) return subscription;
  if (concern === 'group') return group?.length === subject.length ? group : undefined;

  // The event does not name the associated resource, which may be in any subscription.
  if (concern === 'perimeter') return group === undefined ? undefined : '/subscriptions';

  const extended = /^(.*)\/providers\/Microsoft\.(?:Authorization|Insights|EventGrid)\//i.exec(subject)?.[1];
  if (concern === 'vault' && extended !== undefined) return extended;

  // For a child such as an access policy, the vault.
  const own = parseResourceId(subject.split('/').slice(0, 9).join('/'));

  return own && isTypeOf[concern](own.type) ? own.id : undefined;
}

/** Whether changes of a top-level resource of this type have the concern. */
const isTypeOf = {
  account: (type: string) => /^Microsoft\.Storage\/storageAccounts$/i.test(type),
  identity: (type: string) => /^Microsoft\.ManagedIdentity\/userAssignedIdentities$/i.test(type),
  vault: (type: string) => /^Microsoft\.KeyVault\/(?:vaults|managedHSMs)$/i.test(type),
  keyUser: (type: string) => findKeyUserType(type)?.apiVersion !== undefined,
};
