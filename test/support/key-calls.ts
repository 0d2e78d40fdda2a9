import { randomUUID } from 'node:crypto';
import type { HttpResponseInit } from '@azure/functions';
import { handleKeyStatus } from '../../src/api/keys.ts';
import type { Call } from '../../src/api/route.ts';
import type { Log } from '../../src/errors/log.ts';
import type { Caller } from '../../src/http/token-claims.ts';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { Services } from '../../src/services.ts';
import type { KeyStatus } from '../../src/status/key-schemas.ts';

interface CallOfKey {
  readonly services: Services;
  readonly caller?: Caller;
  readonly body?: object;
  readonly query?: object;
  readonly log?: Log;
  readonly correlationId?: string;
}

/** What a handler of the API answers to a call that names a key, once it is let through. */
export async function callKey<T>(
  handle: (call: Call<never, never>) => Promise<HttpResponseInit>,
  { vault, name }: ManagedKey,
  { log = () => {}, query = {}, body, correlationId = randomUUID(), ...call }: CallOfKey,
): Promise<T> {
  const params = { vault: vault.name, key: name };
  const given = { request: { headers: new Headers(), params }, query, body: async () => body, log, correlationId };
  const answer = await handle({ ...given, ...call } as unknown as Call<never, never>);
  return JSON.parse(String(answer.body)) as T;
}

export function keyStatus(key: ManagedKey, services: Services): Promise<KeyStatus> {
  return callKey(handleKeyStatus, key, { services });
}
