import { asObject, asString, asTags } from '../json.ts';
import type { Vault } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { badRequest, resourceNotFound } from './errors.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';

export const MANAGED_HSM_TYPE = 'Microsoft.KeyVault/managedHSMs';

/** A Managed HSM as ARM shows it: what a vault calls `vaultUri` is `hsmUri`, and the SKU stands outside. */
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

/** Answered at once, where Azure takes minutes. */
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

/** Managed HSMs of the Key Vault resource provider. They are made and deleted by the local Azure itself alone. */
export const managedHsmRoutes: ArmRoutes = {
  'GET microsoft.keyvault/managedhsms': list,
  'GET microsoft.keyvault/managedhsms/{}': (request) => ok(hsmBody(requireHsm(request))),
  'PATCH microsoft.keyvault/managedhsms/{}': change,
  // az changes by a PUT of the whole.
  'PUT microsoft.keyvault/managedhsms/{}': change,
  'GET microsoft.keyvault/deletedmanagedhsms': () => ok({ value: [] }),
  'POST microsoft.keyvault/checkmhsmnameavailability': ({ world, body }) =>
    ok({ nameAvailable: !world.managedHsms.has(asString(body.name)?.toLowerCase() ?? '') }),
};
