import { upnOf } from '../entra/token-authority.ts';
import { asArray, asObject, asString, type JsonObject } from '../json.ts';
import type { Principal, SystemData, Vault, World } from '../world.ts';
import { badRequest } from './errors.ts';

/** A vault as ARM shows it. */
export function vaultBody({ id, name, location, tags, systemData, properties }: Vault): Record<string, unknown> {
  const type = 'Microsoft.KeyVault/vaults';
  return { id, name, type, location, tags, ...(systemData ? { systemData } : {}), properties };
}

/** `systemData` after a write by this principal. */
export function writtenBy(world: World, principal: Principal, before?: SystemData): SystemData {
  const by = principal.kind === 'user' ? upnOf(principal) : principal.clientId;
  const type = ({ user: 'User', application: 'Application', managedIdentity: 'ManagedIdentity' } as const)[
    principal.kind
  ];
  const at = world.clock.now().toISOString();

  return {
    ...(before ?? { createdBy: by, createdByType: type, createdAt: at }),
    lastModifiedBy: by,
    lastModifiedByType: type,
    lastModifiedAt: at,
  };
}

/** Properties that a client may set. */
const writable = [
  'tenantId',
  'sku',
  'accessPolicies',
  'enabledForDeployment',
  'enabledForDiskEncryption',
  'enabledForTemplateDeployment',
  'enableRbacAuthorization',
  'enableSoftDelete',
  'softDeleteRetentionInDays',
  'enablePurgeProtection',
  'networkAcls',
  'publicNetworkAccess',
] as const;

/** From this api-version on a new vault uses RBAC by default. */
const rbacByDefault = '2026-02-01';

/**
 * A vault's properties after a PUT or PATCH. Refuses what is irreversible: purge protection and soft delete stay on,
 * and the retention is set once.
 */
export function patchProperties(
  world: World,
  name: string,
  current: Vault['properties'] | undefined,
  asked: JsonObject,
  apiVersion: string,
): Vault['properties'] {
  if (asked.enablePurgeProtection === false) {
    throw badRequest(
      'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.',
    );
  }

  if (asked.enableSoftDelete === false && current?.enableSoftDelete !== false) {
    throw badRequest('The property "enableSoftDelete" cannot be set to false. Soft delete cannot be turned off.');
  }

  const days = asked.softDeleteRetentionInDays;
  if (days !== undefined && days !== null) {
    if (typeof days !== 'number' || days < 7 || days > 90) {
      throw badRequest('The property "softDeleteRetentionInDays" must be between 7 and 90.');
    }

    if (current?.softDeleteRetentionInDays !== undefined && current.softDeleteRetentionInDays !== days) {
      throw badRequest('The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.');
    }
  }

  const set = Object.fromEntries(
    writable
      .filter((field) => asked[field] !== undefined && asked[field] !== null)
      .map((field) => [field, asked[field]]),
  );
  if (set.networkAcls !== undefined) set.networkAcls = networkRules(set.networkAcls, current?.networkAcls);

  checkSku(set.sku ?? current?.sku);

  if (set.accessPolicies !== undefined) checkPolicies(set.accessPolicies);

  const defaults = {
    tenantId: world.tenantId,
    accessPolicies: [],
    enabledForDeployment: false,
    enableSoftDelete: true,
    // Older api-versions do not show them (seen in a recording).
    ...(apiVersion >= '2021' ? { softDeleteRetentionInDays: 90, publicNetworkAccess: 'Enabled' } : {}),
    ...(apiVersion >= rbacByDefault ? { enableRbacAuthorization: true } : {}),
  };

  return {
    ...(current ?? defaults),
    ...set,
    vaultUri: current?.vaultUri ?? `https://${name.toLowerCase()}.vault.azure.net`,
    provisioningState: current?.provisioningState ?? 'RegisteringDns',
  };
}

/**
 * Network rules as a vault shows them: none if they only state the defaults, else both lists, with subnet ids in lower
 * case (seen in recordings).
 */
function networkRules(asked: unknown, current: unknown): JsonObject | undefined {
  const acls = asObject(asked) ?? {};
  const { ipRules, virtualNetworkRules } = acls;
  const says = { bypass: acls.bypass ?? 'AzureServices', defaultAction: acls.defaultAction ?? 'Allow' };
  const plain = says.bypass === 'AzureServices' && says.defaultAction === 'Allow';
  if (plain && !current && !ipRules && !virtualNetworkRules) return undefined;

  const subnets = (asArray(virtualNetworkRules) ?? []).map((rule) => {
    const id = asString(asObject(rule)?.id);
    return id === undefined ? rule : { ...asObject(rule), id: id.toLowerCase() };
  });

  return { ...says, ipRules: asArray(ipRules) ?? [], virtualNetworkRules: subnets };
}

function checkSku(sku: unknown): void {
  const name = asString(asObject(sku)?.name)?.toLowerCase();
  if (name !== 'standard' && name !== 'premium') {
    throw badRequest('The property "sku.name" must be standard or premium.');
  }
}

function checkPolicies(policies: unknown): void {
  const list = asArray(policies);
  if (!list) throw badRequest('The property "accessPolicies" must be an array.');
  for (const policy of list) {
    if (!asString(asObject(policy)?.objectId)) throw badRequest('An access policy is missing its "objectId".');
  }
}
