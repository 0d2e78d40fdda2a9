import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { expect, it } from 'vitest';
import { answerCalls } from '../../src/api/answer-call.ts';
import { KEY_ROUTES } from '../../src/api/keys.ts';
import type { Route } from '../../src/api/route.ts';
import { enabledOf, keyOf } from '../break-glass/break-glass-fixture.ts';
import { tokenOf } from '../break-glass/running-app.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

function routeOf(id: string): Route {
  const found = KEY_ROUTES.find((route) => route.id === id);
  if (!found) throw new Error(`The API has no route ${id}.`);
  return found;
}

/** Calls of one operator; returns the status of the answer. */
function operator() {
  const services = wire.services();
  const authorization = `Bearer ${tokenOf(wire.azure, 'operator')}`;
  return async (id: string, vault: string, key: string, query = '', body?: object): Promise<number | undefined> => {
    const route = routeOf(id);
    const answer = answerCalls(route, { services: () => services, logOf: () => wire.log });
    const request = {
      headers: new Headers({ authorization, 'content-type': 'application/json' }),
      method: route.method,
      params: { vault, key },
      url: `http://app/api/keys/${vault}/${key}${query}`,
      body: body ? new Response(JSON.stringify(body)).body : null,
    } as unknown as HttpRequest;
    const context = { functionName: id, invocationId: 'call' } as InvocationContext;
    return ((await answer(request, context)) as HttpResponseInit).status;
  };
}

it('a key is revoked before six keys of a vault that hangs, which the same person revoked first', async () => {
  const call = operator();
  const revoke = (vault: string, key: string) =>
    call('revokeKey', vault, key, '/revoke', { reason: 'All of them, now', confirm: `${vault}/${key}` });
  const hanging = Array.from({ length: 6 }, () => keyOf(wire.azure, 1));
  const own = new TestKey(wire.azure.world, 'kv-records');
  wire.azure.faults.add([{ match: { host: 'kv-files.vault.azure.net' }, hang: true }]);

  const order: string[] = [];
  const first = hanging.map((key) => revoke('kv-files', key.name).then(() => order.push('hanging')));
  const status = await revoke('kv-records', own.name);
  order.push('own');

  expect(status).toBe(200);
  expect(enabledOf(own)).toEqual([false]);
  expect(order).toEqual(['own']);
  await Promise.all(first);
});

it('a person reads the list of keys while two dry runs of the same person hang', async () => {
  const call = operator();
  const key = keyOf(wire.azure, 1);
  wire.azure.faults.add([{ match: { path: 'Microsoft.ResourceGraph' }, hang: true }]);

  const order: string[] = [];
  const dryRuns = [1, 2].map(() =>
    call('revokeKey', 'kv-files', key.name, '/revoke?dryRun=true').then(() => order.push('dry run')),
  );
  await new Promise(setImmediate);
  const status = await call('keys', '', '');
  order.push('read');

  expect(status).toBe(200);
  expect(order).toEqual(['read']);
  await Promise.all(dryRuns);
});
