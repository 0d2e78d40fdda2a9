import type { KeyOperation, LoggedUse } from './usage-log.ts';

/*
 * Microsoft shows one entry of a Managed HSM's log, a backup ("Managed HSM logging"), and says that the address in it is the
 * one that was asked ("Monitor Azure Key Vault Managed HSM", `requestUri_s`); how it calls a wrap or an unwrap it does not say.
 * So an entry is told by its address, which the REST API of keys has, and what is not one of those may be anything.
 * The patterns are for lower case, and in the syntax that Kusto (RE2) and JavaScript have in common.
 */

/**
 * The path of an address at a Managed HSM. Characters that no name of the API has make it no such address, and so do names
 * that begin with a dot: where `..` leads, the Managed HSM decides.
 */
export const HSM_PATH = String.raw`^https://[0-9a-z.-]+\.managedhsm\.[0-9a-z.]+(?::[0-9]+)?((?:/(?:[0-9a-z_~-][0-9a-z._~-]*)?)+)(?:\?|$)`;
/** The key that a path is about, also where it has something before it that is not documented. */
export const PATH_OF_KEY = '/keys/+([0-9a-z-]+)(?:/|$)';
/** As the REST API has it. */
const DOCUMENTED = new RegExp(`^/*${PATH_OF_KEY}`);
/** A request to Azure Resource Manager about the Managed HSM itself, which uses no key, unless its name says so; likewise. */
export const ARM_ADDRESS = String.raw`^https://[^/?#]+/subscriptions/[^/?#]+/(?:resourcegroups/[^/?#]+/)?providers/microsoft\.keyvault/managedhsms(?:/(?:[^/?#%.][^/?#%]*)?)*(?:\?|$)`;
/** Names of entries that sound like a use of key material, of external keys ("Ekm") too. */
export const SOUNDS_LIKE_USE = 'wrap|crypt|keysign|verify|release|ekm';

/** By the last part of the address: `POST /keys/{name}/{version}/unwrapkey` (Key Vault REST API, "Keys"). */
const BY_VERB: Readonly<Record<string, KeyOperation>> = {
  wrapkey: 'wrap',
  unwrapkey: 'unwrap',
  encrypt: 'other',
  decrypt: 'other',
  sign: 'other',
  verify: 'other',
  release: 'other',
};
/** What of a key is read or changed without its material doing anything: the same API, and that of local roles. */
const NO_USE = /^(?:backup|create|rotate|rotationpolicy|versions|providers\/microsoft\.authorization\/.*)$/;
const VERSION = /^[0-9a-f]{32}$/;

type Asked = Pick<LoggedUse, 'version' | 'operation' | 'entry'>;

/**
 * What an entry of a Managed HSM's log says was asked of a key; undefined: nothing that uses it.
 *
 * @param path lower case, as {@link HSM_PATH} finds it; empty or undefined: the address has none that is known
 * @param name what the log calls the operation
 */
export function askedOfHsmKey(path: string | undefined, name: string | undefined): Asked | undefined {
  const unclear: Asked = { version: undefined, operation: 'unclear', entry: name };
  if (!path || !DOCUMENTED.test(path)) return unclear;
  const [first, ...rest] = path.split('/').filter(Boolean).slice(2);
  const sounds = new RegExp(SOUNDS_LIKE_USE).test(name?.toLowerCase() ?? '');
  const version = first !== undefined && VERSION.test(first) ? first : undefined;
  const verb = (version === undefined && first !== undefined ? [first, ...rest] : rest).join('/');
  if (verb === '') return sounds ? { version, operation: operationNamed(name) } : undefined;
  const operation = BY_VERB[verb];
  if (operation) return { version, operation };
  if (version !== undefined) return { version, operation: 'other' };
  return NO_USE.test(verb) && !sounds ? undefined : unclear;
}

/** Key Vault's names of operations ("logging", operation names). */
export function operationNamed(name: string | undefined): KeyOperation {
  return name === 'KeyWrap' ? 'wrap' : name === 'KeyUnwrap' ? 'unwrap' : 'other';
}
