import type { Caller } from '../service.ts';
import type { Key, KeyVersion, Vault, World } from '../world.ts';
import { badParameter, keyNotFound } from './errors.ts';
import type { KeyPermission } from './permissions.ts';

/** A parsed request, with the vault that it is about. */
export interface KeyVaultRequest {
  readonly world: World;
  readonly vault: Vault;
  readonly caller: Caller;
  readonly url: URL;
  readonly apiVersion: string;
  /** The values of the `:name` parts of the route. */
  readonly params: Record<string, string>;
  /** The JSON body; undefined if there is none. */
  readonly body: Record<string, unknown> | undefined;
}

/** An operation of the data plane. `:version?` in a route is optional; the newest is the default. */
export interface Operation {
  readonly method: string;
  readonly route: string;
  readonly permission: KeyPermission;
  /** The data action in a Managed HSM, if it does not follow from the permission. */
  readonly localAction?: string;
  /** The budget of the vault that it uses. */
  readonly cost: 'create' | 'other';
  /** The body of the answer with status 200; undefined for 204. */
  run(request: KeyVaultRequest): Record<string, unknown> | undefined;
}

export function requireBody({ body }: KeyVaultRequest): Record<string, unknown> {
  if (!body) throw badParameter('The request body must be a JSON object.');
  return body;
}

/** The key and version in the route. Throws the 404. */
export function requireKeyVersion({ vault, params }: KeyVaultRequest): { key: Key; version: KeyVersion } {
  const name = params.name ?? '';
  const key = vault.keys.get(name.toLowerCase());
  const version = params.version
    ? key?.versions.find((one) => one.version === params.version?.toLowerCase())
    : key?.versions.at(-1);
  if (!key || !version) throw keyNotFound(params.version ? `${name}/${params.version}` : name);
  return { key, version };
}
