import type { ArmRequest } from '../arm/arm-request.ts';
import { hsmBody } from '../arm/managed-hsms.ts';
import { isAllowed } from '../roles.ts';
import { accountBody } from '../storage/account-body.ts';
import type { World } from '../world.ts';
import type { Row } from './evaluate.ts';

interface Resource {
  readonly id: string;
  readonly name: string;
  /** In Azure's spelling. */
  readonly type: string;
  readonly location: string;
  readonly properties: unknown;
  readonly tags?: unknown;
  readonly kind?: unknown;
  readonly sku?: unknown;
  readonly identity?: unknown;
}

/** The rows of the `resources` table in those subscriptions that the caller may read. Silently omits the others. */
export function readableRows({ world, caller }: ArmRequest, subscriptionIds: ReadonlySet<string>): Row[] {
  const readable = (resource: Resource): boolean =>
    !world.settings.enforceRoles ||
    isAllowed(world, caller.principal.objectId, resource.id, `${resource.type}/read`, 'action');
  return resourcesOf(world)
    .filter((resource) => subscriptionIds.has(subscriptionOf(resource.id)) && readable(resource))
    .map((resource) => toRow(world, resource));
}

function resourcesOf(world: World): Resource[] {
  return [
    ...[...world.storageAccounts.values()].map((account) => accountBody(account) as unknown as Resource),
    ...[...world.vaults.values()].map((vault) => ({ ...vault, type: 'Microsoft.KeyVault/vaults' })),
    ...[...world.managedHsms.values()].map((hsm) => hsmBody(hsm) as unknown as Resource),
    ...[...world.identities.values()].map(({ id, name, location, tags, principalId, clientId }) => ({
      id,
      name,
      location,
      tags,
      type: 'Microsoft.ManagedIdentity/userAssignedIdentities',
      properties: { tenantId: world.tenantId, principalId, clientId },
    })),
    ...[...world.otherResources.values()].map((other) => ({
      ...other,
      name: other.id.slice(other.id.lastIndexOf('/') + 1),
    })),
  ];
}

function toRow(world: World, resource: Resource): Row {
  const { id, name, type, location, properties, tags, kind, sku, identity } = resource;

  return {
    id,
    name,
    // Resource Graph writes types in lower case.
    type: type.toLowerCase(),
    tenantId: world.tenantId,
    kind: kind ?? '',
    location,
    resourceGroup: (id.split('/')[4] ?? '').toLowerCase(),
    subscriptionId: subscriptionOf(id),
    managedBy: '',
    sku: sku ?? null,
    plan: null,
    properties,
    tags: tags ?? null,
    identity: identity ?? null,
    zones: null,
    extendedLocation: null,
  };
}

function subscriptionOf(id: string): string {
  return (id.split('/')[2] ?? '').toLowerCase();
}
