import { expect } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import type { LocalAzure } from '../../local/azure/server.ts';
import type { Principal } from '../../local/azure/world.ts';
import { newestApiVersion } from '../support/api-version.ts';
import { eventually } from '../support/eventually.ts';

/** A sign-in of the tenant by its fixed client id. */
export function signIn(azure: LocalAzure, name: keyof typeof CLIENT_IDS): Principal {
  const principal = azure.world.principals.get(CLIENT_IDS[name]);
  if (!principal) throw new Error(`There is no sign-in '${name}'.`);
  return principal;
}

/** Asks ARM over the wire; the body is read. `as` signs in, by default as the owner. */
export async function arm(
  azure: LocalAzure,
  method: string,
  path: string,
  options: { body?: unknown; as?: Principal; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: Headers; body: ArmBody }> {
  const { token } = azure.tokens.issue(options.as ?? signIn(azure, 'owner'), 'https://management.azure.com');
  const url = `https://management.azure.com${path}${path.includes('api-version=') ? '' : `${path.includes('?') ? '&' : '?'}api-version=${newestApiVersion(path)}`}`;
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...options.headers },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });

  const text = await response.text();

  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
}

/** Writes an account as soon as no other write of it is under way, as one of the app may be: Azure refuses two at once. */
export async function writeAccount(azure: LocalAzure, account: string, body: unknown): Promise<void> {
  const { status } = await eventually(`a write of ${account} is admitted`, async () => {
    const answer = await arm(azure, 'PATCH', account, { body });
    return answer.body.error?.code !== 'StorageAccountOperationInProgress' && answer;
  });
  expect(status).toBe(200);
}

/** The fields of an ARM answer that the tests read. */
export interface ArmBody {
  readonly id?: string;
  readonly error?: { code: string; message: string };
  readonly value?: readonly ArmBody[];
  readonly nextLink?: string;
  readonly name?: string;
  readonly tags?: Record<string, string>;
  readonly identity?: { type: string; principalId?: string; userAssignedIdentities?: Record<string, unknown> };
  readonly properties?: Record<string, unknown> & {
    encryption?: { keySource: string; identity?: unknown; keyvaultproperties?: Record<string, string> };
  };
}
