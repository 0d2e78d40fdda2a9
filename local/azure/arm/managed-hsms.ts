import { asObject, asString, asTags } from '../json.ts';
import type { Vault } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { badRequest, resourceNotFound } from './errors.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';

export const MANAGED_HSM_TYPE = 'Microsoft.KeyVault/managedHSMs';

/** A Managed HSM as ARM shows it: `hsmUri` instead of a vault's `vaultUri`, and the SKU outside `properties`. */
export function hsmBody({ id, name, location, tags, properties }: Vault): Record<string, unknown> {
  const { sku, vaultUri: hsmUri, ...rest } = properties;
  return { id, name, type: MANAGED_HSM_TYPE, location, sku, tags, properties: { ...rest, hsmUri } };
}

function requireHsm(request: ArmRequest): Vault {
  const name = nameAt(request, 0);
  const hsm = request.world.managedHsms.get(name.toLowerCase());
  if (hsm && inScope(hsm.id, request.path.scope)) return hsm;
  throw resourceNotFound(MANAGED_HSM_TYPE, name, request.path.resourceGroup);
}

function list(request: ArmRequest): Response {
  const hsms = [...request.world.managedHsms.values()].filter(({ id }) => inScope(id, request.path.scope));
  return ok(page(request, hsms, Number(request.query.get('$top') ?? 1000) || 1000, hsmBody));
}

const writable = ['enablePurgeProtection', 'networkAcls', 'publicNetworkAccess'];

/** Answers at once; Azure takes minutes. */
function change(request: ArmRequest): Response {
  const hsm = requireHsm(request);
  const asked = asObject(request.body.properties) ?? {};
  if (asked.enablePurgeProtection === false && hsm.properties.enablePurgeProtection) {
    throw badRequest('The property "enablePurgeProtection" cannot be set to false once it is on.');
  }

  for (const field of writable) {
    if (asked[field] !== undefined && asked[field] !== null) hsm.properties[field] = asked[field];
  }

  hsm.tags = asTags(request.body.tags) ?? hsm.tags;

  return ok(hsmBody(hsm));
}

/** Managed HSMs of the Key Vault resource provider. Only the local Azure itself creates and deletes them. */
export const managedHsmRoutes: ArmRoutes = {
  'GET microsoft.keyvault/managedhsms': list,
  'GET microsoft.keyvault/managedhsms/{}': (request) => ok(hsmBody(requireHsm(request))),
  'PATCH microsoft.keyvault/managedhsms/{}': change,
  // az sends a PUT of the whole resource.
  'PUT microsoft.keyvault/managedhsms/{}': change,
  'GET microsoft.keyvault/deletedmanagedhsms': () => ok({ value: [] }),
  'POST microsoft.keyvault/checkmhsmnameavailability': ({ world, body }) =>
    ok({ nameAvailable: !world.managedHsms.has(asString(body.name)?.toLowerCase() ?? '') }),
};
