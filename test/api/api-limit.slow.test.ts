import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { afterEach, expect, it, vi } from 'vitest';
import { answerCalls, CALL_LIMIT_MS } from '../../src/api/answer-call.ts';
import { CALLER_LIMITS } from '../../src/api/rates.ts';
import { route } from '../../src/api/route.ts';
import { tokenOf } from '../break-glass/running-app.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
afterEach(() => {
  vi.useRealTimers();
});

/** Makes a call as the host does. */
function useCall(headers: Headers, handle: () => Promise<never>, onAuthenticated: () => void) {
  const own = wire.services();
  const authenticate: typeof own.authenticate = async (...call) => {
    const caller = await own.authenticate(...call);
    onAuthenticated();
    return caller;
  };

  const services = { ...own, authenticate };
  const about = { id: 'keys', method: 'GET', path: '/keys', summary: '', answers: {} } as const;
  const slow = route({ ...about, role: 'CmkKey.Read', reach: 'handler', handle });
  const answer = answerCalls(slow, { services: () => services, logOf: () => wire.log });
  const request = { headers, method: 'GET', params: {}, url: 'http://app/api/keys' } as unknown as HttpRequest;
  const context = { functionName: 'keys', invocationId: 'call' } as InvocationContext;

  return async () => (await answer(request, context)) as HttpResponseInit;
}

it('a call that hangs, or waits for others of its caller, is answered before the load balancer ends it', async () => {
  const headers = new Headers({ authorization: `Bearer ${tokenOf(wire.azure, 'operator')}` });
  const { atOnce } = CALLER_LIMITS.read;
  let begun = 0;
  let authenticated = 0;
  const hang = () => {
    begun += 1;
    return new Promise<never>(() => {});
  };
  const call = useCall(headers, hang, () => {
    authenticated += 1;
  });

  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });

  const answers = Array.from({ length: atOnce + 2 }, () => call());

  // Tokens are verified in any order. Right after that each call has its time limit, and waits for the others or begins.
  while (authenticated < answers.length || begun < atOnce) await new Promise(setImmediate);

  await new Promise(setImmediate);
  vi.advanceTimersByTime(CALL_LIMIT_MS);

  const ended = await Promise.all(answers);
  expect(ended.map(({ status }) => status)).toEqual(answers.map(() => 503));
  expect(ended[0]?.body).toContain('ServiceUnavailable');

  // A queued call does not start once its caller has gone.
  await new Promise(setImmediate);

  expect(begun).toBe(atOnce);
});
