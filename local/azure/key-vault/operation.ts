import type { Caller } from '../service.ts';
import type { Key, KeyVersion, Vault, World } from '../world.ts';
import { badParameter, keyNotFound } from './errors.ts';
import type { KeyPermission } from './permissions.ts';

/** What an operation is given: the vault it is about, and the request taken apart. */
export interface KeyVaultRequest {
  readonly world: World;
  readonly vault: Vault;
  readonly caller: Caller;
  readonly url: URL;
  readonly apiVersion: string;
  /** What the `:name` parts of the route stand for. */
  readonly params: Record<string, string>;
  /** The JSON body; undefined when there is none. */
  readonly body: Record<string, unknown> | undefined;
}

/** One operation of the data plane. `:version?` in a route may be absent, which means the newest. */
export interface Operation {
  readonly method: string;
  readonly route: string;
  readonly permission: KeyPermission;
  /** The data action in a Managed HSM, where the permission alone does not tell it. */
  readonly localAction?: string;
  /** How it counts against the vault's budget. */
  readonly cost: 'create' | 'other';
  /** The answer's body, sent with status 200, or undefined for 204. */
  run(request: KeyVaultRequest): Record<string, unknown> | undefined;
}

export function requireBody({ body }: KeyVaultRequest): Record<string, unknown> {
  if (!body) throw badParameter('The request body must be a JSON object.');
  return body;
}

/** The key and the version that the route names. Throws the 404. */
export function requireKeyVersion({ vault, params }: KeyVaultRequest): { key: Key; version: KeyVersion } {
  const name = params.name ?? '';
  const key = vault.keys.get(name.toLowerCase());
  const version = params.version
    ? key?.versions.find((one) => one.version === params.version?.toLowerCase())
    : key?.versions.at(-1);
  if (!key || !version) throw keyNotFound(params.version ? `${name}/${params.version}` : name);
  return { key, version };
}
