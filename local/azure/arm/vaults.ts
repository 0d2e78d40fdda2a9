import { requireWritableVault } from '../failed-over.ts';
import { asArray, asObject, asString, asTags } from '../json.ts';
import type { Vault } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest, resourceNotFound } from './errors.ts';
import { inScope } from './in-scope.ts';
import { page } from './paging.ts';
import { patchProperties, vaultBody, writtenBy } from './vault-body.ts';
import { recoverVault, softDeleteVault } from './vault-deletion.ts';

const type = 'Microsoft.KeyVault/vaults';
/** How long the name of a new vault takes to register. Azure takes half a minute. */
const registeringMs = 1_000;

/** The vault that a request names. Throws ARM's 404. */
function requireVault(request: ArmRequest): Vault {
  const name = nameAt(request, 0);
  const vault = request.world.vaults.get(name.toLowerCase());
  if (!vault || !inScope(vault.id, request.path.scope)) throw resourceNotFound(type, name, request.path.resourceGroup);
  return vault;
}

function put(request: ArmRequest): Response {
  const { world, body, path } = request;
  const name = nameAt(request, 0);
  if (!/^(?!.*--)[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]$/.test(name)) {
    throw badRequest(
      `The vault name '${name}' is invalid. A vault's name must be between 3-24 alphanumeric characters.`,
      'VaultNameNotValid',
    );
  }

  const asked = asObject(body.properties) ?? {};
  const existing = world.vaults.get(name.toLowerCase());
  if (existing) {
    if (!inScope(existing.id, path.scope)) {
      throw new ArmError(
        409,
        'VaultAlreadyExists',
        `The vault name '${name}' is already in use. Vault names are globally unique.`,
      );
    }

    return change(request, existing);
  }

  if (world.deletedVaults.has(name.toLowerCase())) {
    if (asString(asked.createMode) === 'recover') return ok(vaultBody(recoverVault(world, name)));
    throw new ArmError(
      409,
      'ConflictError',
      `A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.`,
    );
  }

  const location = asString(body.location)?.toLowerCase().replaceAll(' ', '');
  if (!location) throw badRequest("The required property 'location' is missing from the request.", 'LocationRequired');

  const vault: Vault = {
    id: `${path.scope}/providers/${type}/${name}`,
    name,
    location,
    tags: asTags(body.tags) ?? {},
    properties: patchProperties(world, name, undefined, asked, request.apiVersion),
    keys: new Map(),
    deletedKeys: new Map(),
    // Older api-versions do not have it (recorded).
    ...(request.apiVersion >= '2021' ? { systemData: writtenBy(world, request.caller.principal) } : {}),
  };

  world.vaults.set(name.toLowerCase(), vault);

  const registered = () => {
    vault.properties.provisioningState = 'Succeeded';
    // The slash appears with the registration (seen in a recording of the real service).
    vault.properties.vaultUri = `https://${name.toLowerCase()}.vault.azure.net/`;
  };
  if (world.settings.instantProvisioning) registered();
  else world.clock.schedule(world.clock.nowMs() + registeringMs, registered);

  return show(vault);
}

function change(request: ArmRequest, vault: Vault): Response {
  const { world, caller } = request;

  requireWritableVault(world, vault);

  const asked = asObject(request.body.properties) ?? {};
  vault.properties = patchProperties(world, vault.name, vault.properties, asked, request.apiVersion);
  vault.tags = asTags(request.body.tags) ?? vault.tags;
  if (vault.systemData) vault.systemData = writtenBy(world, caller.principal, vault.systemData);
  return show(vault);
}

/** While the name registers, `Retry-After` tells az when to poll again: without it az waits half a minute. */
function show(vault: Vault): Response {
  const registering = vault.properties.provisioningState !== 'Succeeded';
  return ok(vaultBody(vault), 200, {
    'x-ms-keyvault-service-version': '1.5.339.0',
    ...(registering ? { 'retry-after': '1' } : {}),
  });
}

function list(request: ArmRequest): Response {
  const vaults = [...request.world.vaults.values()].filter(({ id }) => inScope(id, request.path.scope));
  return ok(page(request, vaults, Number(request.query.get('$top') ?? 1000) || 1000, vaultBody, 'emptyLastPage'));
}

interface AccessPolicy {
  objectId?: string;
  permissions?: Record<string, string[] | undefined>;
}

/** `PUT …/accessPolicies/{add|replace|remove}`: changes the policies of the given principals, and keeps the others. */
function changePolicies(request: ArmRequest): Response {
  const vault = requireVault(request);

  requireWritableVault(request.world, vault);

  const operation = nameAt(request, 1).toLowerCase();
  const asked = (asArray(asObject(request.body.properties)?.accessPolicies) ?? []) as AccessPolicy[];
  const policies = (asArray(vault.properties.accessPolicies) ?? []) as AccessPolicy[];
  const kept = policies.filter(({ objectId }) => !asked.some((policy) => policy.objectId === objectId));

  const merged = asked.map((policy) => {
    const before = policies.find(({ objectId }) => objectId === policy.objectId);
    if (operation !== 'add' || !before) return policy;

    const names = Object.keys({ ...before.permissions, ...policy.permissions });

    return {
      ...policy,
      permissions: Object.fromEntries(
        names.map((name) => [
          name,
          [...new Set([...(before.permissions?.[name] ?? []), ...(policy.permissions?.[name] ?? [])])],
        ]),
      ),
    };
  });

  if (!['add', 'replace', 'remove'].includes(operation)) {
    throw badRequest(`'${operation}' is not add, replace or remove.`);
  }

  vault.properties.accessPolicies = operation === 'remove' ? kept : [...kept, ...merged];

  return ok({
    id: `${vault.id}/accessPolicies/`,
    type: 'Microsoft.KeyVault/vaults/accessPolicies',
    properties: { accessPolicies: vault.properties.accessPolicies },
  });
}

function checkNameAvailability({ world, body }: ArmRequest): Response {
  const name = asString(body.name)?.toLowerCase() ?? '';
  const taken = world.vaults.has(name) || world.deletedVaults.has(name);
  return ok(
    taken
      ? { nameAvailable: false, reason: 'AlreadyExists', message: `The vault name '${name}' is already in use.` }
      : { nameAvailable: true },
  );
}

/** Vaults of the Key Vault resource provider. */
export const vaultRoutes: ArmRoutes = {
  'GET microsoft.keyvault/vaults': list,
  'GET microsoft.keyvault/vaults/{}': (request) => show(requireVault(request)),
  'PUT microsoft.keyvault/vaults/{}': put,
  'PATCH microsoft.keyvault/vaults/{}': (request) => change(request, requireVault(request)),
  'DELETE microsoft.keyvault/vaults/{}': (request) => {
    const vault = request.world.vaults.get(nameAt(request, 0).toLowerCase());
    if (!vault || !inScope(vault.id, request.path.scope)) return new Response(null, { status: 204 });

    requireWritableVault(request.world, vault);
    softDeleteVault(request.world, vault);
    return new Response(null, { status: 200 });
  },
  'PUT microsoft.keyvault/vaults/{}/accesspolicies/{}': changePolicies,
  'POST microsoft.keyvault/checknameavailability': checkNameAvailability,
};
