import type { KeyVersion } from '../world.ts';
import { keyBundle, keyItem } from './bundle.ts';
import { badParameter, keyNotFound } from './errors.ts';
import { importKeyMaterial, type KeyType } from './key-material.ts';
import { createKeyVersion, rotateKey } from './keys.ts';
import { watchLifetime } from './lifetime.ts';
import { checkTags, checkValidity } from './limits.ts';
import { type KeyVaultRequest, type Operation, requireBody, requireKeyVersion } from './operation.ts';
import { page } from './paging.ts';
import { readAttributes, readKeyOps, readTags } from './request-body.ts';
import { readRotationPolicy, showRotationPolicy } from './rotation-policy.ts';

/** The operations on live keys and their versions. */
export const keyOperations: Operation[] = [
  { method: 'GET', route: '/keys', permission: 'list', cost: 'other', run: listKeys },
  { method: 'GET', route: '/keys/:name/versions', permission: 'list', cost: 'other', run: listVersions },
  {
    method: 'GET',
    route: '/keys/:name/rotationpolicy',
    permission: 'getrotationpolicy',
    cost: 'other',
    run: getPolicy,
  },
  {
    method: 'PUT',
    route: '/keys/:name/rotationpolicy',
    permission: 'setrotationpolicy',
    cost: 'other',
    run: putPolicy,
  },
  { method: 'POST', route: '/keys/:name/create', permission: 'create', cost: 'create', run: create },
  { method: 'POST', route: '/keys/:name/rotate', permission: 'rotate', cost: 'create', run: rotate },
  { method: 'PUT', route: '/keys/:name', permission: 'import', cost: 'create', run: importKey },
  { method: 'GET', route: '/keys/:name/:version?', permission: 'get', cost: 'other', run: get },
  { method: 'PATCH', route: '/keys/:name/:version?', permission: 'update', cost: 'other', run: update },
];

const keyTypes = ['RSA', 'RSA-HSM', 'EC', 'EC-HSM', 'oct-HSM'];

function create(request: KeyVaultRequest): Record<string, unknown> {
  const { world, vault, params } = request;
  const body = requireBody(request);
  const { kty, key_size: keySize, crv } = body;
  if (typeof kty !== 'string' || !keyTypes.includes(kty)) throw badParameter(`Unknown key type: ${String(kty)}`);
  if (kty.endsWith('-HSM')) requirePremium(request);
  else if (vault.local) throw badParameter(`A Managed HSM has no keys of type ${kty}: use ${kty}-HSM.`);

  const keyOps = readKeyOps(body);
  const version = createKeyVersion(world, vault, params.name ?? '', {
    kty: kty as KeyType,
    ...(typeof keySize === 'number' ? { keySize } : {}),
    ...(typeof crv === 'string' ? { curve: crv } : {}),
    ...(keyOps ? { keyOps } : {}),
    // A key that only serves to import others expires after two days (seen in a recording).
    ...(keyOps?.join() === 'import' && !vault.local ? { exp: world.clock.nowSeconds() + 2 * 86_400 } : {}),
    ...readAttributes(body),
    tags: readTags(body),
  });

  return show(request, version);
}

function importKey(request: KeyVaultRequest): Record<string, unknown> {
  const { world, vault, params } = request;
  const body = requireBody(request);
  if (typeof body.key !== 'object' || body.key === null) throw badParameter('The key to import is missing.');

  const jwk = body.key as Record<string, unknown>;
  const { kty, privateKey } = importKeyMaterial(jwk);
  const hsm = vault.local || kty.endsWith('-HSM') || body.Hsm === true || body.hsm === true;
  if (hsm) requirePremium(request);

  const keyOps = readKeyOps(jwk);
  const version = createKeyVersion(world, vault, params.name ?? '', {
    kty: (hsm && !kty.endsWith('-HSM') ? `${kty}-HSM` : kty) as KeyType,
    privateKey,
    imported: true,
    ...(keyOps ? { keyOps } : {}),
    ...readAttributes(body),
    tags: readTags(body),
  });

  return show(request, version);
}

function get(request: KeyVaultRequest): Record<string, unknown> {
  return show(request, requireKeyVersion(request).version);
}

/** Changes one version, by default the newest. What the body omits is unchanged. */
function update(request: KeyVaultRequest): Record<string, unknown> {
  const { world, vault } = request;
  const { key, version } = requireKeyVersion(request);
  const body = requireBody(request);
  const asked = readAttributes(body);
  const keyOps = readKeyOps(body);
  const tags = readTags(body);

  checkTags(tags);
  checkValidity(asked.nbf ?? version.nbf, asked.exp ?? version.exp);

  if (asked.enabled !== undefined && asked.enabled !== version.enabled) {
    version.enabled = asked.enabled;
    version.enabledChangedMs = world.clock.nowMs();
  }

  const expiryMoved = asked.exp !== undefined && asked.exp !== version.exp;

  version.nbf = asked.nbf ?? version.nbf;
  version.exp = asked.exp ?? version.exp;
  if (keyOps) version.keyOps = keyOps;
  if (tags) version.tags = Object.keys(tags).length > 0 ? tags : undefined;

  version.updated = world.clock.nowSeconds();

  if (expiryMoved) watchLifetime(world, vault, key, rotateKey);

  return show(request, version);
}

function rotate(request: KeyVaultRequest): Record<string, unknown> {
  return show(request, rotateKey(request.world, request.vault, request.params.name ?? ''));
}

function listKeys({ vault, url, apiVersion }: KeyVaultRequest): Record<string, unknown> {
  const items = [...vault.keys]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, key]) => {
      const newest = key.versions.at(-1);
      return newest ? [keyItem(vault, key, newest, apiVersion, false)] : [];
    });
  return page(items, url, apiVersion);
}

function listVersions({ world, vault, params, url, apiVersion }: KeyVaultRequest): Record<string, unknown> {
  const key = vault.keys.get((params.name ?? '').toLowerCase());

  // For a missing key Key Vault returns an empty list, not a 404.
  if (!key) return page([], url, apiVersion);

  const versions = [...key.versions];
  if (world.settings.versionListOrder === 'newestFirst') versions.reverse();
  if (world.settings.versionListOrder === 'byVersion') versions.sort((a, b) => (a.version < b.version ? -1 : 1));

  return page(
    versions.map((version) => keyItem(vault, key, version, apiVersion, true)),
    url,
    apiVersion,
  );
}

function getPolicy({ world, vault, params }: KeyVaultRequest): Record<string, unknown> {
  const key = vault.keys.get((params.name ?? '').toLowerCase());
  if (!key) throw keyNotFound(params.name ?? '');
  return showRotationPolicy(world, vault, key);
}

function putPolicy(request: KeyVaultRequest): Record<string, unknown> {
  const { world, vault, params } = request;
  const key = vault.keys.get((params.name ?? '').toLowerCase());
  if (!key) throw keyNotFound(params.name ?? '');
  key.rotationPolicy = readRotationPolicy(vault, requireBody(request), key.rotationPolicy, world.clock.nowSeconds());
  watchLifetime(world, vault, key, rotateKey);
  return showRotationPolicy(world, vault, key);
}

function show({ vault, params, apiVersion }: KeyVaultRequest, version: KeyVersion): Record<string, unknown> {
  const key = vault.keys.get((params.name ?? '').toLowerCase());
  if (!key) throw keyNotFound(params.name ?? '');
  return keyBundle(vault, key, version, apiVersion);
}

function requirePremium({ vault }: KeyVaultRequest): void {
  if (vault.local) return;
  const sku = vault.properties.sku as { name?: string } | undefined;
  if (sku?.name?.toLowerCase() === 'premium') return;
  throw badParameter('HSM-protected keys need a vault with the premium SKU.');
}
