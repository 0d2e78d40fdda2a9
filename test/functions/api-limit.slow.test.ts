import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { afterEach, expect, it, vi } from 'vitest';
import { appSettings } from '../../local/run/app-environment.ts';
import { TIME_LIMITS } from '../../src/functions/time-limits.ts';
import { CALLER_LIMITS } from '../../src/http/rates.ts';
import { tokenOf } from '../break-glass/running-app.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const silent = (): void => {};

/** Makes a call as the host does; warnings go to `warn`. */
async function useCall(headers: Headers, handle: () => Promise<never>, warn: (line: string) => void = silent) {
  for (const [name, value] of Object.entries(appSettings(wire.connectionString, {}))) vi.stubEnv(name, value);
  // Its services are made of the environment that it is loaded in.
  const { api } = await import('../../src/functions/api.ts');
  const request = { headers, method: 'GET', params: {}, query: new URLSearchParams() } as unknown as HttpRequest;
  const about = { functionName: 'keys', invocationId: 'call', log: silent, info: silent, warn, error: silent };
  return async () =>
    (await api('CmkKey.Read', handle)(request, about as unknown as InvocationContext)) as HttpResponseInit;
}

it('a call whose work does not end is answered before the load balancer ends it', async () => {
  const headers = new Headers({ authorization: `Bearer ${tokenOf(wire.azure, 'operator')}` });
  let begin = (): void => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const hang = () => {
    begin();
    return new Promise<never>(() => {});
  };
  const call = await useCall(headers, hang);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const answer = call();
  await begun;
  vi.advanceTimersByTime(TIME_LIMITS.http);
  const { status, jsonBody, body } = await answer;
  expect([status, JSON.stringify(jsonBody ?? body)]).toEqual([503, expect.stringContaining('ServiceUnavailable')]);
});

it('a call that waits for others of its caller is answered in time as well, and not begun when nobody waits for it', async () => {
  const headers = new Headers({ authorization: `Bearer ${tokenOf(wire.azure, 'operator')}` });
  const { atOnce } = CALLER_LIMITS.read;
  let begun = 0;
  const call = await useCall(headers, () => {
    begun += 1;
    return new Promise<never>(() => {});
  });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const answers = Array.from({ length: atOnce + 2 }, () => call());
  // Tokens are verified in any order. Then each call has a time limit, and each that has begun a second one.
  while (vi.getTimerCount() < answers.length + atOnce) await new Promise(setImmediate);
  vi.advanceTimersByTime(TIME_LIMITS.http);
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(answers.map(() => 503));
  await new Promise(setImmediate);
  expect(begun).toBe(atOnce);
});
