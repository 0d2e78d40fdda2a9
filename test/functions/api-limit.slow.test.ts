import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { afterEach, expect, it, vi } from 'vitest';
import { appSettings } from '../../local/run/app-environment.ts';
import { TIME_LIMITS } from '../../src/functions/time-limits.ts';
import { tokenOf } from '../break-glass/running-app.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

it('a call whose work does not end is answered before the load balancer ends it', async () => {
  for (const [name, value] of Object.entries(appSettings(wire.connectionString, {}))) vi.stubEnv(name, value);
  // Its services are made of the environment that it is loaded in.
  const { api } = await import('../../src/functions/api.ts');
  const headers = new Headers({ authorization: `Bearer ${tokenOf(wire.azure, 'operator')}` });
  const request = { headers, method: 'GET', params: {}, query: new URLSearchParams() } as unknown as HttpRequest;
  const silent = (): void => {};
  const about = { functionName: 'keys', invocationId: 'call', log: silent, info: silent, warn: silent, error: silent };
  let begin = (): void => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const hang = () => {
    begin();
    return new Promise<never>(() => {});
  };
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const answer = api('CmkKey.Read', hang)(request, about as unknown as InvocationContext) as Promise<HttpResponseInit>;
  await begun;
  vi.advanceTimersByTime(TIME_LIMITS.http);
  const { status, jsonBody, body } = await answer;
  expect([status, JSON.stringify(jsonBody ?? body)]).toEqual([503, expect.stringContaining('ServiceUnavailable')]);
});
