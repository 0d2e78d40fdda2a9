import type { HttpResponseInit } from '@azure/functions';
import { type AccessRules, reachesKey, reachesVault } from '../../http/access.ts';
import { conditional } from '../../http/etag.ts';
import type { HeaderReader } from '../../http/headers.ts';
import { jsonResponse } from '../../http/json-response.ts';
import { queryInvalid, queryOf } from '../../http/query.ts';
import type { Caller } from '../../http/token-claims.ts';
import type { ManagedVaults } from '../../keys/managed-vaults.ts';
import type { Log } from '../../log.ts';
import type { KeyLister, ListKeysPorts } from '../list-keys.ts';

type KeysApiPorts = ListKeysPorts & {
  readonly settings: ListKeysPorts['settings'] & { readonly vaults: ManagedVaults; readonly access: AccessRules };
};

const PLACE = /^[0-9a-z-]{1,24}\/[0-9a-z-]{1,127}$/;

/**
 * A page of the keys that the caller's role reaches.
 *
 * @throws {@link HttpProblem} `QueryInvalid`
 */
export async function showKeys(
  { query, headers }: { readonly query: URLSearchParams; readonly headers: HeaderReader },
  caller: Caller,
  lister: KeyLister,
  ports: KeysApiPorts,
  log: Log,
): Promise<HttpResponseInit> {
  const { vault, after } = queryOf(query, ['vault', 'after']);
  if (after !== undefined && !PLACE.test(after)) throw queryInvalid('after is not a key.', 'Follow nextLink.');
  const { access, vaults } = ports.settings;
  // It is there long before the vaults have answered.
  void ports.control.refresh(log);
  const listed = await lister.list(
    {
      vaults: vaults.all.filter(
        ({ name }) =>
          reachesVault(caller, 'CmkKey.Read', name, access) && (vault === undefined || name === vault.toLowerCase()),
      ),
      reaches: (key) => reachesKey(caller, 'CmkKey.Read', { vault: key.vault.name, key: key.name }, access),
      after,
    },
    ports,
  );
  const { value, next } = listed;
  const of = vault === undefined ? '' : `vault=${encodeURIComponent(vault)}&`;
  const nextLink = next ? { nextLink: `/api/keys?${of}after=${encodeURIComponent(next)}` } : {};
  const body = { value, vaults: listed.vaults, ...nextLink };
  const asRead = listed.vaults.map(({ readOn: _, ...rest }) => rest);
  const content = { value, vaults: asRead, ...nextLink };
  return conditional(headers, jsonResponse(200, body), content);
}
